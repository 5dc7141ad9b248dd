output "uploads" {
  description = "Where files are dropped."
  value       = google_storage_bucket.all["uploads"].url
}

output "buckets" {
  description = "All buckets, by what they are for."
  value       = { for name, bucket in google_storage_bucket.all : name => bucket.name }
}

output "api" {
  description = "The API's address."
  value       = var.domain == null ? google_cloud_run_v2_service.function["api"].uri : "https://${var.domain}"
}

output "console" {
  description = "The console's address."
  value       = google_cloud_run_v2_service.function["console"].uri
}

output "api_address" {
  description = "What the domain's A record must say; null without a domain."
  value       = one(google_compute_global_address.api[*].address)
}

output "services" {
  description = "The functions' own addresses."
  value       = { for name, service in google_cloud_run_v2_service.function : name => service.uri }
}

output "images" {
  description = "Where images are pushed to."
  value       = google_artifact_registry_repository.images.registry_uri
}

output "builder" {
  description = "The account that builds and deploys."
  value       = google_service_account.builder.email
}

output "accounts" {
  description = "The account of each program."
  value       = { for name, account in google_service_account.program : name => account.email }
}

output "results" {
  description = "The dataset with the table of results and its views."
  value       = "${var.project}.${google_bigquery_dataset.results.dataset_id}"
}
