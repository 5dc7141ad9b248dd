# With var.domain: a load balancer before the API, for a name of one's own and a limit of requests.

resource "google_compute_global_address" "api" {
  count = var.domain == null ? 0 : 1

  name       = "headrace-api"
  depends_on = [google_project_service.all]
}

resource "google_compute_region_network_endpoint_group" "api" {
  count = var.domain == null ? 0 : 1

  name                  = "headrace-api"
  region                = var.region
  network_endpoint_type = "SERVERLESS"

  cloud_run {
    service = google_cloud_run_v2_service.function["api"].name
  }

  depends_on = [google_project_service.all]
}

resource "google_compute_security_policy" "api" {
  count = var.domain == null ? 0 : 1

  name        = "headrace-api"
  description = "A limit of requests for each address"

  #checkov:skip=CKV_GCP_73:No Java here; and texts to be analyzed may quote anything, also attacks.
  rule {
    action      = "throttle"
    priority    = 1000
    description = "So many requests of an address in a minute"

    match {
      versioned_expr = "SRC_IPS_V1"
      config {
        src_ip_ranges = ["*"]
      }
    }

    rate_limit_options {
      conform_action = "allow"
      exceed_action  = "deny(429)"
      enforce_on_key = "IP"

      rate_limit_threshold {
        count        = var.api_requests_per_minute
        interval_sec = 60
      }
    }
  }

  # Every policy has a rule of this priority, for what no other is about: here there is nothing left.
  rule {
    action      = "allow"
    priority    = 2147483647
    description = "Default"

    match {
      versioned_expr = "SRC_IPS_V1"
      config {
        src_ip_ranges = ["*"]
      }
    }
  }

  depends_on = [google_project_service.all]
}

resource "google_compute_backend_service" "api" {
  count = var.domain == null ? 0 : 1

  name                  = "headrace-api"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  protocol              = "HTTPS"
  security_policy       = google_compute_security_policy.api[0].id

  backend {
    group = google_compute_region_network_endpoint_group.api[0].id
  }

  log_config {
    enable      = true
    sample_rate = 1
  }
}

resource "google_compute_managed_ssl_certificate" "api" {
  count = var.domain == null ? 0 : 1

  name = "headrace-api-${substr(sha256(var.domain), 0, 8)}"

  managed {
    domains = [var.domain]
  }

  # The proxy must have the new one before the old one can go.
  lifecycle {
    create_before_destroy = true
  }

  depends_on = [google_project_service.all]
}

resource "google_compute_ssl_policy" "api" {
  count = var.domain == null ? 0 : 1

  name            = "headrace-api"
  profile         = "MODERN"
  min_tls_version = "TLS_1_2"
  depends_on      = [google_project_service.all]
}

resource "google_compute_url_map" "api" {
  count = var.domain == null ? 0 : 1

  name            = "headrace-api"
  default_service = google_compute_backend_service.api[0].id
}

resource "google_compute_target_https_proxy" "api" {
  count = var.domain == null ? 0 : 1

  name             = "headrace-api"
  url_map          = google_compute_url_map.api[0].id
  ssl_certificates = [google_compute_managed_ssl_certificate.api[0].id]
  ssl_policy       = google_compute_ssl_policy.api[0].id
}

resource "google_compute_global_forwarding_rule" "api" {
  count = var.domain == null ? 0 : 1

  name                  = "headrace-api"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  ip_address            = google_compute_global_address.api[0].id
  port_range            = "443"
  target                = google_compute_target_https_proxy.api[0].id
}

# Who comes without TLS is sent to come with it.
resource "google_compute_url_map" "redirect" {
  count = var.domain == null ? 0 : 1

  name = "headrace-api-redirect"

  default_url_redirect {
    https_redirect         = true
    redirect_response_code = "MOVED_PERMANENTLY_DEFAULT"
    strip_query            = false
  }

  depends_on = [google_project_service.all]
}

resource "google_compute_target_http_proxy" "redirect" {
  count = var.domain == null ? 0 : 1

  name    = "headrace-api-redirect"
  url_map = google_compute_url_map.redirect[0].id
}

resource "google_compute_global_forwarding_rule" "redirect" {
  count = var.domain == null ? 0 : 1

  name                  = "headrace-api-redirect"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  ip_address            = google_compute_global_address.api[0].id
  port_range            = "80"
  target                = google_compute_target_http_proxy.redirect[0].id
}
