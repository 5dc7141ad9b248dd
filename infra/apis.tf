locals {
  apis = toset(concat(
    [
      "artifactregistry.googleapis.com",
      "bigquery.googleapis.com",
      "cloudbuild.googleapis.com",
      "cloudresourcemanager.googleapis.com",
      "cloudscheduler.googleapis.com",
      "containeranalysis.googleapis.com", # keeps what Cloud Build attests of the images it builds
      "firestore.googleapis.com",
      "iam.googleapis.com",
      "logging.googleapis.com",
      "monitoring.googleapis.com",
      "pubsub.googleapis.com",
      "run.googleapis.com",
      "secretmanager.googleapis.com",
      "serviceusage.googleapis.com",
      "storage.googleapis.com",
    ],
    local.console_iap ? ["iap.googleapis.com"] : [],
    var.binary_authorization ? ["binaryauthorization.googleapis.com"] : [],
    var.budget != null ? ["billingbudgets.googleapis.com"] : [],
    var.kms_key != null ? ["cloudkms.googleapis.com"] : [],
    var.private_egress || var.domain != null ? ["compute.googleapis.com"] : [],
    var.private_egress ? ["dns.googleapis.com"] : [],
  ))
}

resource "google_project_service" "all" {
  for_each = local.apis

  service = each.key
  # Others in the project may use it.
  disable_on_destroy = false
}
