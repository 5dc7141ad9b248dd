locals {
  # Title, filter, aligner, and the label that lines are drawn by.
  charts = [
    { title = "Oldest unfinished document, seconds", filter = "metric.type=\"${local.logged}/oldest_seconds\"", aligner = "ALIGN_PERCENTILE_99", reducer = "REDUCE_MAX", by = [] },
    { title = "Pushes handled, by function", filter = "metric.type=\"${local.logged}/events\"", aligner = "ALIGN_RATE", reducer = "REDUCE_SUM", by = ["metric.label.function"] },
    { title = "Pushes that come again, by function", filter = "metric.type=\"${local.logged}/retries\"", aligner = "ALIGN_RATE", reducer = "REDUCE_SUM", by = ["metric.label.function"] },
    { title = "Failures, by function", filter = "metric.type=\"${local.logged}/failures\"", aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = ["metric.label.function"] },
    { title = "Dead letters", filter = "metric.type=\"${local.logged}/dead_letters\"", aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = [] },
    { title = "Reading an upload, 95th percentile, ms", filter = "metric.type=\"${local.logged}/ingest_ms\"", aligner = "ALIGN_PERCENTILE_95", reducer = "REDUCE_MAX", by = [] },
    { title = "A batch, 95th percentile, ms", filter = "metric.type=\"${local.logged}/analyze_ms\"", aligner = "ALIGN_PERCENTILE_95", reducer = "REDUCE_MAX", by = [] },
    { title = "Instances, by service", filter = "metric.type=\"run.googleapis.com/container/instance_count\" resource.type=\"cloud_run_revision\"", aligner = "ALIGN_MAX", reducer = "REDUCE_SUM", by = ["resource.label.service_name"] },
    { title = "Messages not acknowledged, by subscription", filter = "metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\" resource.type=\"pubsub_subscription\"", aligner = "ALIGN_MEAN", reducer = "REDUCE_SUM", by = ["resource.label.subscription_id"] },
    { title = "Executions of the long job, by result", filter = "metric.type=\"run.googleapis.com/job/completed_execution_count\" resource.type=\"cloud_run_job\"", aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = ["metric.label.result"] },
  ]

  # Cloud Monitoring gives nothing back that is zero or empty: said here, every apply would find it gone.
  places = [
    for index in range(length(local.charts)) : {
      for name, at in { xPos = index % 2 * 24, yPos = floor(index / 2) * 16 } : name => at if at > 0
    }
  ]
}

resource "google_monitoring_dashboard" "headrace" {
  dashboard_json = jsonencode({
    displayName = "Headrace"
    mosaicLayout = {
      columns = 48
      tiles = [
        for index, chart in local.charts : merge(local.places[index], {
          width  = 24
          height = 16
          widget = {
            title = chart.title
            xyChart = {
              dataSets = [{
                plotType = "LINE"
                timeSeriesQuery = {
                  timeSeriesFilter = {
                    filter = chart.filter
                    aggregation = merge({
                      alignmentPeriod    = "300s"
                      perSeriesAligner   = chart.aligner
                      crossSeriesReducer = chart.reducer
                    }, length(chart.by) == 0 ? {} : { groupByFields = chart.by })
                  }
                }
              }]
            }
          }
        })
      ]
    }
  })

  depends_on = [google_logging_metric.counter, google_logging_metric.distribution]
}
