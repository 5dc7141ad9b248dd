# Which APIs and which of Google's own accounts (service agents) are needed, and what switches each on: apis.json, which
# the installer reads too. It enables the APIs before Terraform begins, then makes the agents: one that is asked for is
# given no role by itself, so the installer gives it the one that Google documents. Terraform does not, for its destroy
# would take that role away from whatever else is in the project.
# https://cloud.google.com/iam/docs/create-service-agents, https://cloud.google.com/iam/docs/service-agents
locals {
  google = jsondecode(file("${path.module}/apis.json"))

  switched_on = {
    always               = true
    binary_authorization = var.binary_authorization
    budget               = var.budget != null
    console_iap          = local.console_iap
    kms_key              = var.kms_key != null
    network              = var.private_egress || var.domain != null
    private_egress       = var.private_egress
  }
}

resource "google_project_service" "all" {
  for_each = toset([for api in local.google.apis : api.name if local.switched_on[api.when]])

  service = each.key
  # Others in the project may use it.
  disable_on_destroy = false
}
