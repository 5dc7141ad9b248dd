# What ended, and how: each message of `results` is a row, as it came. Views read the fields, so that a field that
# is added to the message (shared/platform/records.py, ResultMessage) needs no change of the table.

resource "google_bigquery_dataset" "results" {
  dataset_id                 = "headrace"
  location                   = var.region
  description                = "Results of documents, as Headrace announced them"
  delete_contents_on_destroy = !var.deletion_protection

  dynamic "default_encryption_configuration" {
    for_each = var.kms_key == null ? [] : [var.kms_key]
    content {
      kms_key_name = default_encryption_configuration.value
    }
  }

  #checkov:skip=CKV_GCP_81:A key of the customer's is a choice: var.kms_key.
  depends_on = [google_project_service.all, google_kms_crypto_key_iam_member.agent]
}

resource "google_bigquery_table" "results" {
  dataset_id          = google_bigquery_dataset.results.dataset_id
  table_id            = "results"
  description         = "Messages of the topic `results`; one may come twice"
  deletion_protection = var.deletion_protection

  # The columns that a BigQuery subscription without a schema writes.
  schema = jsonencode([
    { name = "subscription_name", type = "STRING", mode = "NULLABLE" },
    { name = "message_id", type = "STRING", mode = "NULLABLE" },
    { name = "publish_time", type = "TIMESTAMP", mode = "NULLABLE" },
    { name = "data", type = "JSON", mode = "NULLABLE" },
    { name = "attributes", type = "JSON", mode = "NULLABLE" },
  ])

  time_partitioning {
    type  = "DAY"
    field = "publish_time"
  }

  # Unsaid, it would be the dataset's key all the same, and every later apply would see it taken away: another table.
  dynamic "encryption_configuration" {
    for_each = var.kms_key == null ? [] : [var.kms_key]
    content {
      kms_key_name = encryption_configuration.value
    }
  }

  #checkov:skip=CKV_GCP_80:A key of the customer's is a choice: var.kms_key.
}

# BigQuery refuses a view of what is not there yet, so each waits for what its query reads.
locals {
  dataset = "${var.project}.${google_bigquery_dataset.results.dataset_id}"

  views_of_runs = {
    documents = "The newest run of each document"
    models    = "How many runs each model completed, by day"
  }

  views_of_documents = {
    datapoints         = "ESRS data points of the newest run of each document"
    documents_by_state = "How many documents ended how, by day and folder"
  }
}

resource "google_bigquery_table" "runs" {
  dataset_id          = google_bigquery_dataset.results.dataset_id
  table_id            = "runs"
  description         = "Every run that ended, once"
  deletion_protection = false # it holds nothing

  view {
    use_legacy_sql = false
    query          = templatefile("${path.module}/views/runs.sql", { dataset = local.dataset })
  }

  # What it may take from the dataset says nothing of what stores nothing.
  lifecycle {
    ignore_changes = [encryption_configuration]
  }

  depends_on = [google_bigquery_table.results]

  #checkov:skip=CKV_GCP_80:A view stores nothing.
  #checkov:skip=CKV_GCP_121:A view stores nothing.
}

resource "google_bigquery_table" "view" {
  for_each = local.views_of_runs

  dataset_id          = google_bigquery_dataset.results.dataset_id
  table_id            = each.key
  description         = each.value
  deletion_protection = false # it holds nothing

  view {
    use_legacy_sql = false
    query          = templatefile("${path.module}/views/${each.key}.sql", { dataset = local.dataset })
  }

  # What it may take from the dataset says nothing of what stores nothing.
  lifecycle {
    ignore_changes = [encryption_configuration]
  }

  depends_on = [google_bigquery_table.runs]

  #checkov:skip=CKV_GCP_80:A view stores nothing.
  #checkov:skip=CKV_GCP_121:A view stores nothing.
}

resource "google_bigquery_table" "of_documents" {
  for_each = local.views_of_documents

  dataset_id          = google_bigquery_dataset.results.dataset_id
  table_id            = each.key
  description         = each.value
  deletion_protection = false # it holds nothing

  view {
    use_legacy_sql = false
    query          = templatefile("${path.module}/views/${each.key}.sql", { dataset = local.dataset })
  }

  # What it may take from the dataset says nothing of what stores nothing.
  lifecycle {
    ignore_changes = [encryption_configuration]
  }

  depends_on = [google_bigquery_table.view]

  #checkov:skip=CKV_GCP_80:A view stores nothing.
  #checkov:skip=CKV_GCP_121:A view stores nothing.
}

moved {
  from = google_bigquery_table.view["runs"]
  to   = google_bigquery_table.runs
}

moved {
  from = google_bigquery_table.view["documents_by_state"]
  to   = google_bigquery_table.documents_by_state
}

moved {
  from = google_bigquery_table.documents_by_state
  to   = google_bigquery_table.of_documents["documents_by_state"]
}

resource "google_bigquery_table_iam_member" "results" {
  dataset_id = google_bigquery_table.results.dataset_id
  table_id   = google_bigquery_table.results.table_id
  role       = "roles/bigquery.dataEditor"
  member     = local.agents.pubsub
}
