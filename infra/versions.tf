terraform {
  # Write-only arguments and ephemeral variables, which keep the Slack token out of the state, came with 1.11.
  required_version = ">= 1.11, < 2.0"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 8.7"
    }
  }

  # terraform init -backend-config=bucket=YOUR-STATE-BUCKET
  backend "gcs" {
    prefix = "headrace"
  }
}

provider "google" {
  project = var.project
  region  = var.region

  # Budgets are billed to a project of the caller's; this says which.
  user_project_override = true
  billing_project       = var.project

  default_labels = merge({ application = "headrace" }, var.labels)
}
