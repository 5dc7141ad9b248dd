# What is too long for a function: shared/documents/delegation.py starts it with a document's arguments and as many tasks.
resource "google_cloud_run_v2_job" "long" {
  count = var.long_job.enabled ? 1 : 0

  name                = local.job_name
  location            = var.region
  deletion_protection = var.deletion_protection

  template {
    template {
      service_account = google_service_account.program[local.job_name].email
      # What Cloud Run allows a task with a GPU. A task that ends so takes up where it was at its next attempt.
      timeout               = "3600s"
      max_retries           = 3
      execution_environment = "EXECUTION_ENVIRONMENT_GEN2"
      encryption_key        = var.kms_key
      # Without a spare GPU in another zone, which a job that can wait need not pay for.
      gpu_zonal_redundancy_disabled = var.long_job.gpu ? true : null

      dynamic "node_selector" {
        for_each = var.long_job.gpu ? ["nvidia-l4"] : []
        content {
          accelerator = node_selector.value
        }
      }

      containers {
        image = local.placeholder

        resources {
          limits = merge({ cpu = tostring(local.long_job.cpu), memory = local.long_job.memory }, var.long_job.gpu ? { "nvidia.com/gpu" = "1" } : {})
        }

        dynamic "env" {
          for_each = local.environment
          content {
            name  = env.key
            value = env.value
          }
        }
      }

      dynamic "vpc_access" {
        for_each = var.private_egress ? [google_compute_subnetwork.private[0]] : []
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
  }

  dynamic "binary_authorization" {
    for_each = var.binary_authorization ? [true] : []
    content {
      use_default = binary_authorization.value
    }
  }

  lifecycle {
    ignore_changes = [
      annotations,
      client,
      client_version,
      template[0].annotations,
      template[0].labels,
      template[0].template[0].containers[0].image,
      template[0].template[0].containers[0].name,
    ]
  }

  depends_on = [google_project_service.all, google_kms_crypto_key_iam_member.agent]
}
