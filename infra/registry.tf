resource "google_artifact_registry_repository" "images" {
  repository_id = "headrace"
  location      = var.region
  format        = "DOCKER"
  description   = "Images of the functions and of the long job"
  kms_key_name  = var.kms_key

  # Tags may move, for what is old could not be deleted otherwise; deployment names images by their digests.

  cleanup_policies {
    id     = "keep-newest"
    action = "KEEP"
    most_recent_versions {
      keep_count = 10
    }
  }

  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"
    condition {
      older_than = "2592000s"
      tag_state  = "ANY"
    }
  }

  #checkov:skip=CKV_GCP_84:A key of the customer's is a choice: var.kms_key.
  depends_on = [google_project_service.all, google_kms_crypto_key_iam_member.agent]
}
