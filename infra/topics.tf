locals {
  # The same in every project: shared/platform/settings.py.
  topics = toset(["uploads", "batches", "ticks", "results", "dead-letters"])

  # As local/provision.py has them on a laptop, but for the backoff: there an outage lasts minutes, here hours.
  # 100 deliveries with up to five minutes between them are some eight hours.
  delivery = {
    ack_deadline = 600
    attempts     = 100
    retention    = "604800s"
    backoff      = { minimum = "1s", maximum = "300s" }
  }
}

resource "google_pubsub_topic" "all" {
  for_each = local.topics

  name                       = each.key
  message_retention_duration = local.delivery.retention
  kms_key_name               = var.kms_key

  #checkov:skip=CKV_GCP_83:A key of the customer's is a choice: var.kms_key.
  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }

  depends_on = [google_project_service.all, google_kms_crypto_key_iam_member.agent]
}

resource "google_pubsub_subscription" "push" {
  for_each = local.pushed

  name                       = each.key
  topic                      = google_pubsub_topic.all[each.value.topic].id
  ack_deadline_seconds       = local.delivery.ack_deadline
  message_retention_duration = local.delivery.retention
  # A tick is for one function, which its kind names.
  filter = each.value.topic == "ticks" ? "attributes.kind = \"${each.key}\"" : ""

  push_config {
    push_endpoint = google_cloud_run_v2_service.function[each.key].uri
    oidc_token {
      service_account_email = google_service_account.pusher.email
      audience              = google_cloud_run_v2_service.function[each.key].uri
    }
  }

  retry_policy {
    minimum_backoff = local.delivery.backoff.minimum
    maximum_backoff = local.delivery.backoff.maximum
  }

  # What cannot be recorded as a dead letter has nowhere else to go: it comes again for seven days.
  dynamic "dead_letter_policy" {
    for_each = each.value.topic == "dead-letters" ? [] : [google_pubsub_topic.all["dead-letters"].id]
    content {
      dead_letter_topic     = dead_letter_policy.value
      max_delivery_attempts = local.delivery.attempts
    }
  }

  # Never, however long nothing comes.
  expiration_policy {
    ttl = ""
  }

  depends_on = [google_cloud_run_v2_service_iam_member.pusher, google_service_account_iam_member.pusher]
}

# Into the table of results; with the topic's own name, by which `headrace doctor` looks for it.
resource "google_pubsub_subscription" "results" {
  name                       = "results"
  topic                      = google_pubsub_topic.all["results"].id
  ack_deadline_seconds       = local.delivery.ack_deadline
  message_retention_duration = local.delivery.retention

  bigquery_config {
    table          = "${google_bigquery_table.results.project}.${google_bigquery_table.results.dataset_id}.${google_bigquery_table.results.table_id}"
    write_metadata = true
  }

  expiration_policy {
    ttl = ""
  }

  depends_on = [google_bigquery_table_iam_member.results]
}
