locals {
  # Who reads which. Terraform makes the secrets, never their values, which would stand in its state.
  secrets = merge(var.secrets, {
    redaction-key = toset(["ingest", "console", "digest", local.job_name])
    api-key-hash  = toset(["api", "console"])
  })
}

resource "google_secret_manager_secret" "all" {
  for_each = local.secrets

  secret_id           = each.key
  deletion_protection = var.deletion_protection
  # A version that is destroyed by mistake can be taken back for a week.
  version_destroy_ttl = "604800s"

  replication {
    user_managed {
      replicas {
        location = var.region
        dynamic "customer_managed_encryption" {
          for_each = var.kms_key == null ? [] : [var.kms_key]
          content {
            kms_key_name = customer_managed_encryption.value
          }
        }
      }
    }
  }

  depends_on = [google_project_service.all, google_kms_crypto_key_iam_member.agent]
}

resource "google_secret_manager_secret_iam_member" "reader" {
  for_each = merge([
    for secret, readers in local.secrets : { for reader in readers : "${secret}/${reader}" => { secret = secret, reader = reader } }
  ]...)

  secret_id = google_secret_manager_secret.all[each.value.secret].id
  role      = "roles/secretmanager.secretAccessor"
  member    = local.members[each.value.reader]
}
