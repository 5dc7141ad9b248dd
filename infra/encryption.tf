# With a key of the customer's, every service that stores something encrypts with it in the name of its own agent. The
# installer makes the agents (apis.json); Cloud Storage and BigQuery make theirs when asked for it (locals.tf).
resource "google_kms_crypto_key_iam_member" "agent" {
  for_each = var.kms_key == null ? {} : { for name, member in local.agents : name => member if name != "iap" }

  crypto_key_id = var.kms_key
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = each.value

  # As of the notification's right (access.tf).
  lifecycle {
    ignore_changes = [member]
  }

  depends_on = [google_project_service.all]
}
