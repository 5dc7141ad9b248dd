# Heartbeats. A beat says only what kind it is; the functions find out what is due. Cloud Scheduler publishes in the
# name of its own agent, which has the right to by its role in the project.
resource "google_cloud_scheduler_job" "tick" {
  for_each = toset([for name, function in local.functions : name if function.topic == "ticks"])

  name        = "tick-${each.key}"
  description = "A heartbeat for ${each.key}"
  region      = var.region
  schedule    = "*/5 * * * *"
  time_zone   = "Etc/UTC"

  pubsub_target {
    topic_name = google_pubsub_topic.all["ticks"].id
    data       = base64encode("{}")
    attributes = { kind = each.key }
  }

  # Until the next beat is due; what that one finds due includes what this one would have.
  retry_config {
    retry_count          = 3
    min_backoff_duration = "10s"
    max_backoff_duration = "60s"
    max_retry_duration   = "240s"
  }

  depends_on = [google_project_service.all]
}
