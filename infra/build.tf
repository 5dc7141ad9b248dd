# Cloud Build, on every push to main: cloudbuild.yaml tests, builds and deploys in the name of its own account.
resource "google_cloudbuild_trigger" "main" {
  count = var.build == null ? 0 : 1

  name               = "headrace-main"
  location           = var.region
  description        = "Test, build and deploy what is pushed to main"
  filename           = "cloudbuild.yaml"
  service_account    = google_service_account.builder.id
  include_build_logs = "INCLUDE_BUILD_LOGS_WITH_STATUS"

  repository_event_config {
    repository = var.build.repository
    push {
      branch = var.build.branch
    }
  }

  substitutions = {
    _REGION     = var.region
    _REPOSITORY = "${google_artifact_registry_repository.images.registry_uri}"
  }

  depends_on = [google_project_service.all]
}

resource "google_artifact_registry_repository_iam_member" "builder" {
  location   = google_artifact_registry_repository.images.location
  repository = google_artifact_registry_repository.images.name
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.builder.member
}

resource "google_cloud_run_v2_service_iam_member" "builder" {
  for_each = local.functions

  location = google_cloud_run_v2_service.function[each.key].location
  name     = google_cloud_run_v2_service.function[each.key].name
  role     = "roles/run.developer"
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

# Log buckets have no policy for writing: only the project has.
resource "google_project_iam_member" "builder_logs" {
  project = var.project
  role    = "roles/logging.logWriter"
  member  = google_service_account.builder.member
}
