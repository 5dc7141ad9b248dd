# Deployment tries a new revision before it serves: its tag `candidate` has an address of its own, to which these
# push what is in the candidates' lane (shared/platform/lanes.py), and nothing else. Between deployments nothing is in it.

locals {
  tried = { for name in ["ingest", "analyze", "deadletter"] : name => local.functions[name] }
}

resource "google_pubsub_subscription" "candidate" {
  for_each = local.tried

  name                       = "${each.key}-candidate"
  topic                      = google_pubsub_topic.all[each.value.topic].id
  ack_deadline_seconds       = local.delivery.ack_deadline
  message_retention_duration = "600s" # what a broken candidate leaves is of no use to the next
  filter                     = "attributes:lane OR hasPrefix(attributes.objectId, \".headrace-candidate/\")"

  push_config {
    push_endpoint = replace(google_cloud_run_v2_service.function[each.key].uri, "https://", "https://candidate---")
    oidc_token {
      service_account_email = google_service_account.pusher.email
      # The service's own, whatever the tag.
      audience = google_cloud_run_v2_service.function[each.key].uri
    }
  }

  retry_policy {
    minimum_backoff = "1s"
    maximum_backoff = "20s"
  }

  # As of those that serve: what is given up on behalf of a candidate is a dead letter in its lane.
  dynamic "dead_letter_policy" {
    for_each = each.value.topic == "dead-letters" ? [] : [google_pubsub_topic.all["dead-letters"].id]
    content {
      dead_letter_topic     = dead_letter_policy.value
      max_delivery_attempts = local.delivery.attempts
    }
  }

  expiration_policy {
    ttl = ""
  }

  depends_on = [google_cloud_run_v2_service_iam_member.pusher, google_service_account_iam_member.pusher]
}
