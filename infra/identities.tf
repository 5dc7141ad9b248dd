# One account for each program, so that each can do what it must and no more.
resource "google_service_account" "program" {
  for_each = local.programs

  account_id   = "headrace-${each.key}"
  display_name = "Headrace: ${each.key}"
  depends_on   = [google_project_service.all]
}

# Pub/Sub shows its token to the functions that it pushes to.
resource "google_service_account" "pusher" {
  account_id   = "headrace-pusher"
  display_name = "Headrace: pushes from Pub/Sub"
  depends_on   = [google_project_service.all]
}

resource "google_service_account" "builder" {
  account_id   = "headrace-builder"
  display_name = "Headrace: Cloud Build"
  depends_on   = [google_project_service.all]
}

# In projects made before April 2021 Pub/Sub's agent has no such right by itself; elsewhere this changes nothing.
resource "google_service_account_iam_member" "pusher" {
  service_account_id = google_service_account.pusher.name
  role               = "roles/iam.serviceAccountOpenIdTokenCreator"
  member             = local.agents.pubsub
}
