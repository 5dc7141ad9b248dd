# Made of the lines that the functions log (docs/observability.md); Headrace sends no metric itself.

locals {
  # Counters, and the field that tells their time series apart. An error of its own is one that was not to end the
  # event, as a schedule of digests that cannot be planned; events and what is tried again are warnings at most.
  counters = {
    events       = { filter = "jsonPayload.message=\"event handled\"", label = "function", description = "Pushes handled" }
    retries      = { filter = "jsonPayload.message=\"event handled\" AND jsonPayload.status=503", label = "function", description = "Pushes that come again" }
    failures     = { filter = "jsonPayload.exception:* AND NOT jsonPayload.exception=\"Malformed\" AND (jsonPayload.message=\"event handled\" OR severity=ERROR)", label = "function", description = "Real failures: neither outages nor bad input" }
    dead_letters = { filter = "jsonPayload.message=\"event handled\" AND jsonPayload.function=\"deadletter\" AND jsonPayload.status=204", label = "function", description = "Messages given up and recorded" }
  }

  # Seconds. A percentile lies anywhere in its bucket: what an alert asks for (alerts.tf) must be where one ends.
  ages = [60, 300, 600, 900, 1200, 1800, 3600, 7200, 21600, 86400]

  distributions = {
    oldest_seconds = { filter = "jsonPayload.message=\"swept\"", field = "oldest_seconds", unit = "s", bounds = local.ages, description = "Age of the oldest unfinished document, as sweep finds it" }
    ingest_ms      = { filter = "jsonPayload.message=\"event handled\" AND jsonPayload.function=\"ingest\" AND jsonPayload.status=204", field = "elapsed_ms", unit = "ms", bounds = null, description = "Reading an upload" }
    analyze_ms     = { filter = "jsonPayload.message=\"event handled\" AND jsonPayload.function=\"analyze\" AND jsonPayload.status=204", field = "elapsed_ms", unit = "ms", bounds = null, description = "A batch of passages" }
  }

  # Lines of Headrace's own services and job alone: others in the project may log the same words. Not what a
  # deployment pushes to a revision that it tries: its message ids begin with "sample" (deploy/trial.py), and it reports itself.
  ours = join(" OR ", concat(
    [for name in sort(keys(local.functions)) : "resource.labels.service_name=\"${name}\""],
    ["resource.labels.job_name=\"${local.job_name}\""],
  ))
  counted = "(${local.ours}) AND NOT jsonPayload.message_id:\"sample\""
}

resource "google_logging_metric" "counter" {
  for_each = local.counters

  name        = "headrace/${each.key}"
  description = each.value.description
  filter      = "${local.counted} AND ${each.value.filter}"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    labels {
      key        = each.value.label
      value_type = "STRING"
    }
  }

  label_extractors = {
    (each.value.label) = "EXTRACT(jsonPayload.${each.value.label})"
  }

  depends_on = [google_project_service.all]
}

resource "google_logging_metric" "distribution" {
  for_each = local.distributions

  name            = "headrace/${each.key}"
  description     = each.value.description
  filter          = "${local.counted} AND ${each.value.filter}"
  value_extractor = "EXTRACT(jsonPayload.${each.value.field})"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "DISTRIBUTION"
    unit        = each.value.unit
  }

  bucket_options {
    dynamic "explicit_buckets" {
      for_each = each.value.bounds == null ? [] : [each.value.bounds]
      content {
        bounds = explicit_buckets.value
      }
    }

    # From 1 to some 1.8 million, each half as much again: percentiles are right to within a third.
    dynamic "exponential_buckets" {
      for_each = each.value.bounds == null ? [1.5] : []
      content {
        num_finite_buckets = 36
        growth_factor      = exponential_buckets.value
        scale              = 1
      }
    }
  }

  depends_on = [google_project_service.all]
}
