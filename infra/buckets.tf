locals {
  # Nothing is versioned but models: what somebody erases must be gone, from uploads after the days in which a
  # mistake can be undone, and from work and results, which hold what documents say, at once.
  buckets = {
    uploads = { versioned = false, soft_delete_days = var.uploads_soft_delete_days }
    work    = { versioned = false, soft_delete_days = 0 }
    results = { versioned = false, soft_delete_days = 0 }
    models  = { versioned = true, soft_delete_days = 7 }
  }
}

resource "google_storage_bucket" "all" {
  for_each = local.buckets

  #checkov:skip=CKV_GCP_78:Versions would keep what was erased; models, which hold no document, are versioned.
  #checkov:skip=CKV_GCP_62:Access is in Cloud Audit Logs (data access), which need no bucket of logs.
  name                        = "${var.project}-${each.key}"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = !var.deletion_protection

  versioning {
    enabled = each.value.versioned
  }

  soft_delete_policy {
    retention_duration_seconds = each.value.soft_delete_days * 24 * 3600
  }

  dynamic "encryption" {
    for_each = var.kms_key == null ? [] : [var.kms_key]
    content {
      default_kms_key_name = encryption.value
    }
  }

  # Artefacts of runs serve replays; without them a run starts from the file again. Reports lie beside runs/.
  dynamic "lifecycle_rule" {
    for_each = each.key == "work" ? [var.work_days] : []
    content {
      action {
        type = "Delete"
      }
      condition {
        age            = lifecycle_rule.value
        matches_prefix = ["runs/"]
      }
    }
  }

  dynamic "lifecycle_rule" {
    for_each = each.value.versioned ? [90] : []
    content {
      action {
        type = "Delete"
      }
      condition {
        days_since_noncurrent_time = lifecycle_rule.value
        with_state                 = "ARCHIVED"
      }
    }
  }

  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = 7
    }
  }

  depends_on = [google_project_service.all, google_kms_crypto_key_iam_member.agent]
}

resource "google_storage_notification" "uploads" {
  bucket         = google_storage_bucket.all["uploads"].name
  topic          = google_pubsub_topic.all["uploads"].id
  payload_format = "JSON_API_V1"
  # ingest takes no other; retention and `headrace` remove results, not the deletion of a file.
  event_types = ["OBJECT_FINALIZE"]

  depends_on = [google_pubsub_topic_iam_member.notification]
}
