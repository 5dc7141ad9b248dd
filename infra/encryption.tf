# With a key of the customer's, every service that stores something encrypts with it in the name of its own agent.
# An agent exists once its service was used, or: gcloud beta services identity create --service=SERVICE
# Cloud Storage and BigQuery make theirs when asked for it (locals.tf).
resource "google_kms_crypto_key_iam_member" "agent" {
  for_each = var.kms_key == null ? {} : local.agents

  crypto_key_id = var.kms_key
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = each.value

  # As of the notification's right (access.tf).
  lifecycle {
    ignore_changes = [member]
  }

  depends_on = [google_project_service.all]
}
