resource "google_cloud_run_v2_service" "function" {
  for_each = local.functions

  name                = each.key
  location            = var.region
  deletion_protection = var.deletion_protection
  # Who may call is decided by IAM (access.tf, build.tf): deployment pushes samples to new revisions from outside the
  # project's networks. The API is called from everywhere, or by its load balancer alone.
  ingress = each.key == "api" && var.domain != null ? "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER" : "INGRESS_TRAFFIC_ALL"

  # What is public asks for a key itself. allUsers as a caller would be refused where an organisation shares with its own
  # domain alone. https://cloud.google.com/run/docs/authenticating/public
  invoker_iam_disabled = contains(local.public, each.key)

  # In front of the console Google asks who it is, and signs for whoever may come in.
  iap_enabled = each.key == "console" && local.console_iap

  template {
    service_account                  = google_service_account.program[each.key].email
    timeout                          = "${each.value.timeout}s"
    max_instance_request_concurrency = each.value.concurrency
    execution_environment            = "EXECUTION_ENVIRONMENT_GEN2"
    encryption_key                   = var.kms_key

    scaling {
      min_instance_count = each.value.min_instances
      max_instance_count = each.value.max_instances[var.size]
    }

    containers {
      image = local.placeholder

      resources {
        limits = {
          cpu    = tostring(each.value.cpu)
          memory = each.value.memory
        }
        # Paid for while a request is worked on, with more of it while an instance starts.
        cpu_idle          = true
        startup_cpu_boost = true
      }

      # What deployment cannot call (deploy/rollout.py), Cloud Run asks for a page before it counts as started.
      dynamic "startup_probe" {
        for_each = [for name, page in local.closed : page if name == each.key]
        content {
          period_seconds    = 1
          timeout_seconds   = 1
          failure_threshold = 240

          http_get {
            path = startup_probe.value
          }
        }
      }

      dynamic "env" {
        # WORKERS and THREADS are functions-framework's own.
        for_each = merge(local.environment, each.value.environment, each.key == "console" ? local.console : {}, {
          WORKERS = tostring(each.value.workers)
          THREADS = tostring(each.value.threads)
        })
        content {
          name  = env.key
          value = env.value
        }
      }
    }

    dynamic "vpc_access" {
      for_each = var.private_egress && each.value.egress == "google" ? [google_compute_subnetwork.private[0]] : []
      content {
        egress = "ALL_TRAFFIC"
        network_interfaces {
          network    = vpc_access.value.network
          subnetwork = vpc_access.value.name
          tags       = [local.egress_tag]
        }
      }
    }
  }

  dynamic "binary_authorization" {
    for_each = var.binary_authorization ? [true] : []
    content {
      use_default = binary_authorization.value
    }
  }

  # The image is deployment's, and with it what it notes of it and how it moves traffic to it; all else is here.
  lifecycle {
    ignore_changes = [
      build_config,
      client,
      client_version,
      # Of the service as a whole, which Cloud Run answers unasked: unsaid here, every plan would take it away.
      scaling,
      template[0].annotations,
      template[0].containers[0].base_image_uri,
      template[0].containers[0].image,
      template[0].containers[0].name,
      template[0].labels,
      traffic,
    ]

    precondition {
      # More at work than processors would only make each slower, past its time limit; but waiting is free.
      condition     = contains(["api", "console"], each.key) || each.value.workers * each.value.threads <= each.value.cpu
      error_message = "${each.key}: more workers and threads than processors."
    }
    precondition {
      condition     = each.value.concurrency <= each.value.workers * each.value.threads
      error_message = "${each.key}: a request that is let in must find a thread."
    }
  }

  depends_on = [google_project_service.all, google_kms_crypto_key_iam_member.agent]
}
