# With var.private_egress: a network from which only Google's APIs can be reached, so that a document that takes
# over what reads it has nowhere to send anything.

locals {
  egress_tag = "headrace"
  # private.googleapis.com: https://cloud.google.com/vpc/docs/configure-private-google-access
  google_apis = ["199.36.153.8", "199.36.153.9", "199.36.153.10", "199.36.153.11"]
}

resource "google_compute_network" "private" {
  count = var.private_egress ? 1 : 0

  name                    = "headrace"
  auto_create_subnetworks = false
  depends_on              = [google_project_service.all]
}

resource "google_compute_subnetwork" "private" {
  count = var.private_egress ? 1 : 0

  name    = "headrace"
  network = google_compute_network.private[0].id
  region  = var.region
  # Direct VPC egress takes two addresses an instance, more while revisions change.
  ip_cidr_range            = "10.8.0.0/22"
  private_ip_google_access = true
  stack_type               = "IPV4_ONLY"

  log_config {
    aggregation_interval = "INTERVAL_10_MIN"
    flow_sampling        = 0.1
    metadata             = "INCLUDE_ALL_METADATA"
  }

  #checkov:skip=CKV_GCP_76:The subnetwork has no IPv6 at all.
}

resource "google_compute_firewall" "to_google" {
  count = var.private_egress ? 1 : 0

  name               = "headrace-to-google-apis"
  network            = google_compute_network.private[0].id
  direction          = "EGRESS"
  priority           = 1000
  destination_ranges = ["199.36.153.8/30"]
  target_tags        = [local.egress_tag]

  allow {
    protocol = "tcp"
    ports    = ["443"]
  }
}

resource "google_compute_firewall" "to_nobody" {
  count = var.private_egress ? 1 : 0

  name               = "headrace-to-nobody-else"
  network            = google_compute_network.private[0].id
  direction          = "EGRESS"
  priority           = 65000
  destination_ranges = ["0.0.0.0/0"]
  target_tags        = [local.egress_tag]

  deny {
    protocol = "all"
  }

  log_config {
    metadata = "INCLUDE_ALL_METADATA"
  }
}

# Clients ask for *.googleapis.com; in this network that is the private addresses.
resource "google_dns_managed_zone" "google_apis" {
  count = var.private_egress ? 1 : 0

  name        = "headrace-googleapis"
  dns_name    = "googleapis.com."
  description = "Google's APIs by their private addresses"
  visibility  = "private"

  private_visibility_config {
    networks {
      network_url = google_compute_network.private[0].id
    }
  }

  depends_on = [google_project_service.all]
}

resource "google_dns_record_set" "google_apis" {
  count = var.private_egress ? 1 : 0

  managed_zone = google_dns_managed_zone.google_apis[0].name
  name         = "private.googleapis.com."
  type         = "A"
  ttl          = 300
  rrdatas      = local.google_apis
}

resource "google_dns_record_set" "every_api" {
  count = var.private_egress ? 1 : 0

  managed_zone = google_dns_managed_zone.google_apis[0].name
  name         = "*.googleapis.com."
  type         = "CNAME"
  ttl          = 300
  rrdatas      = ["private.googleapis.com."]
}
