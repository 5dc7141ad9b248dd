resource "google_monitoring_notification_channel" "email" {
  for_each = var.alert_emails

  display_name = "Headrace: ${each.key}"
  type         = "email"
  labels       = { email_address = each.key }
  depends_on   = [google_project_service.all]
}

resource "google_monitoring_notification_channel" "slack" {
  count = var.alert_slack_channel == null ? 0 : 1

  display_name = "Headrace: ${var.alert_slack_channel}"
  type         = "slack"
  labels       = { channel_name = var.alert_slack_channel }

  sensitive_labels {
    auth_token_wo         = var.slack_token
    auth_token_wo_version = var.slack_token_version
  }

  depends_on = [google_project_service.all]
}

locals {
  channels = concat(
    [for channel in google_monitoring_notification_channel.email : channel.id],
    google_monitoring_notification_channel.slack[*].id,
  )

  logged = "logging.googleapis.com/user/headrace"

  # Above `above` in `window` seconds, over all time series together.
  alerts = {
    oldest = {
      title   = "A document has been unfinished for more than 15 minutes"
      filter  = "resource.type = \"cloud_run_revision\" AND metric.type = \"${local.logged}/oldest_seconds\""
      aligner = "ALIGN_PERCENTILE_99", reducer = "REDUCE_MAX", above = 900, window = 600, severity = "WARNING"
      advice  = "`headrace doctor --project ${var.project}` says what stands still, and why."
    }
    dead_letters = {
      title   = "A message was given up"
      filter  = "resource.type = \"cloud_run_revision\" AND metric.type = \"${local.logged}/dead_letters\""
      aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", above = 0, window = 300, severity = "ERROR"
      advice  = "`headrace doctor --project ${var.project}` shows the newest and the command that replays it."
    }
    failures = {
      title   = "Five failures in ten minutes"
      filter  = "resource.type = \"cloud_run_revision\" AND metric.type = \"${local.logged}/failures\""
      aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", above = 4, window = 600, severity = "ERROR"
      advice  = "Their stacks are in the log: `${local.counters.failures.filter}`. A new revision may have brought them."
    }
    job = {
      title   = "An execution of the long job failed"
      filter  = "resource.type = \"cloud_run_job\" AND resource.labels.job_name = \"${local.job_name}\" AND metric.type = \"run.googleapis.com/job/completed_execution_count\" AND metric.labels.result = \"failed\""
      aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", above = 0, window = 300, severity = "ERROR"
      advice  = "sweep starts it again a few times; `headrace show` tells of the document, the job's log why."
    }
    backlog = {
      title   = "A message has waited for more than 30 minutes"
      filter  = "resource.type = \"pubsub_subscription\" AND metric.type = \"pubsub.googleapis.com/subscription/oldest_unacked_message_age\""
      aligner = "ALIGN_MAX", reducer = "REDUCE_MAX", above = 1800, window = 300, severity = "WARNING"
      advice  = "A function refuses, fails or has no instance left; `results` is BigQuery's to take."
    }
  }
}

resource "google_monitoring_alert_policy" "threshold" {
  for_each = local.alerts

  display_name          = "Headrace: ${each.value.title}"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = local.channels

  conditions {
    display_name = each.value.title
    condition_threshold {
      filter          = each.value.filter
      comparison      = "COMPARISON_GT"
      threshold_value = each.value.above
      duration        = "0s"

      aggregations {
        alignment_period     = "${each.value.window}s"
        per_series_aligner   = each.value.aligner
        cross_series_reducer = each.value.reducer
      }
    }
  }

  documentation {
    content   = each.value.advice
    mime_type = "text/markdown"
  }

  alert_strategy {
    auto_close = "86400s"
  }

  user_labels = merge({ application = "headrace" }, var.labels)

  # A policy may name a metric only once that is known.
  depends_on = [google_logging_metric.counter, google_logging_metric.distribution]
}

resource "google_monitoring_alert_policy" "silence" {
  display_name          = "Headrace: no sweep for 15 minutes"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = local.channels

  conditions {
    display_name = "No sweep for 15 minutes"
    condition_absent {
      filter   = "resource.type = \"cloud_run_revision\" AND metric.type = \"${local.logged}/events\" AND metric.labels.function = \"sweep\""
      duration = "900s"

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    content   = "Without sweep nothing that was lost is found again. Look at the schedule tick-sweep and at the log of sweep."
    mime_type = "text/markdown"
  }

  user_labels = merge({ application = "headrace" }, var.labels)

  depends_on = [google_logging_metric.counter]
}

resource "google_billing_budget" "month" {
  count = var.budget == null ? 0 : 1

  billing_account = var.budget.billing_account
  display_name    = "Headrace: ${var.project}"

  budget_filter {
    projects        = ["projects/${local.number}"]
    calendar_period = "MONTH"
  }

  amount {
    specified_amount {
      units = tostring(floor(var.budget.amount))
      nanos = floor((var.budget.amount - floor(var.budget.amount)) * 1000000000)
    }
  }

  dynamic "threshold_rules" {
    for_each = [0.5, 0.9, 1.0]
    content {
      threshold_percent = threshold_rules.value
    }
  }

  # Beside the account's own people. A budget takes five channels at most, and of e-mail alone.
  dynamic "all_updates_rule" {
    for_each = length(var.alert_emails) == 0 ? [] : [slice(sort(var.alert_emails), 0, min(5, length(var.alert_emails)))]
    content {
      monitoring_notification_channels = [for address in all_updates_rule.value : google_monitoring_notification_channel.email[address].id]
    }
  }

  depends_on = [google_project_service.all]
}
