# Cloud Build, on every push to main: cloudbuild.yaml tests, builds and deploys in the name of its own account.
resource "google_cloudbuild_trigger" "main" {
  count = var.build == null ? 0 : 1

  name            = "headrace-main"
  location        = var.region
  description     = "Test, build and deploy what is pushed to main"
  filename        = "cloudbuild.yaml"
  service_account = google_service_account.builder.id

  repository_event_config {
    repository = var.build.repository
    push {
      branch = var.build.branch
    }
  }

  substitutions = {
    _REGION           = var.region
    _TESTS            = "run"
    _AUDIT            = "fail"
    _REPOSITORY       = google_artifact_registry_repository.images.registry_uri
    _MODEL_DIGEST     = var.build.model_digest
    _GPU_MODEL_DIGEST = var.build.gpu_model_digest
  }

  depends_on = [google_project_service.all]
}

# With the right to delete, without which a tag cannot move to a newer image.
resource "google_artifact_registry_repository_iam_member" "builder" {
  location   = google_artifact_registry_repository.images.location
  repository = google_artifact_registry_repository.images.name
  role       = "roles/artifactregistry.repoAdmin"
  member     = google_service_account.builder.member
}

resource "google_cloud_run_v2_service_iam_member" "builder" {
  for_each = local.functions

  location = google_cloud_run_v2_service.function[each.key].location
  name     = google_cloud_run_v2_service.function[each.key].name
  role     = "roles/run.developer"
  member   = google_service_account.builder.member
}

# It pushes samples to new revisions before they serve.
resource "google_cloud_run_v2_service_iam_member" "builder_calls" {
  for_each = local.functions

  location = google_cloud_run_v2_service.function[each.key].location
  name     = google_cloud_run_v2_service.function[each.key].name
  role     = "roles/run.invoker"
  member   = google_service_account.builder.member
}

resource "google_cloud_run_v2_job_iam_member" "builder" {
  count = var.long_job.enabled ? 1 : 0

  location = google_cloud_run_v2_job.long[0].location
  name     = google_cloud_run_v2_job.long[0].name
  role     = "roles/run.developer"
  member   = google_service_account.builder.member
}

# Whoever deploys a program must be allowed to let it act in its account's name.
resource "google_service_account_iam_member" "builder" {
  for_each = local.programs

  service_account_id = google_service_account.program[each.key].name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.builder.member
}

# It gives its own account to the builds that `gcloud run deploy --source` starts, and asks for identity tokens of its own
# to call services with: https://cloud.google.com/build/docs/securing-builds/authorize-service-to-service-access
resource "google_service_account_iam_member" "builder_itself" {
  for_each = toset(["roles/iam.serviceAccountUser", "roles/iam.serviceAccountOpenIdTokenCreator"])

  service_account_id = google_service_account.builder.name
  role               = each.key
  member             = google_service_account.builder.member
}

# What Google asks for on the project of whoever deploys from sources. Source Developer is broad: in the whole project
# it may make, change, delete and run any service and job, any topic and subscription, publish and take messages, read
# all objects of all buckets and add new ones, and start builds. It stays, for gcloud, whose image follows its releases,
# calls what that role has, and a role of our own would miss what the next one calls. Headrace wants a project to itself.
# https://cloud.google.com/run/docs/configuring/services/build-service-account
resource "google_project_iam_member" "builder" {
  for_each = toset(["roles/logging.logWriter", "roles/run.sourceDeveloper", "roles/serviceusage.serviceUsageConsumer"])

  #checkov:skip=CKV_GCP_49:To start builds counts as acting for others; a build can name only the accounts given above.
  project = var.project
  role    = each.key
  member  = google_service_account.builder.member
}

# Where gcloud puts sources before they are built. It would make the bucket itself, without these limits.
resource "google_storage_bucket" "sources" {
  #checkov:skip=CKV_GCP_78:Sources are in the repository; here they are of use for the length of a build.
  #checkov:skip=CKV_GCP_62:Access is in Cloud Audit Logs (data access), which need no bucket of logs.
  name                        = "run-sources-${var.project}-${var.region}"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = !var.deletion_protection

  dynamic "encryption" {
    for_each = var.kms_key == null ? [] : [var.kms_key]
    content {
      default_kms_key_name = encryption.value
    }
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age = 30
    }
  }

  depends_on = [google_project_service.all, google_kms_crypto_key_iam_member.agent]
}

resource "google_storage_bucket_iam_member" "builder_sources" {
  bucket = google_storage_bucket.sources.name
  role   = local.change
  member = google_service_account.builder.member
}

# Whether the bucket of the bill of materials is there, which Cloud Build asks before it writes to it.
resource "google_storage_bucket_iam_member" "builder_artifacts" {
  bucket = google_storage_bucket.all["work"].name
  role   = local.list
  member = google_service_account.builder.member
}
