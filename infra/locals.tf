data "google_project" "this" {
  project_id = var.project
}

data "google_storage_project_service_account" "this" {
  depends_on = [google_project_service.all]
}

# In an empty project BigQuery makes the account that encrypts when it is asked for, as here.
data "google_bigquery_default_service_account" "this" {
  depends_on = [google_project_service.all]
}

locals {
  # What each function gets, and why: read by the deployment too, so that no other copy of these numbers exists.
  functions = jsondecode(file("${path.module}/functions.json"))
  long_job  = jsondecode(file("${path.module}/job.json"))
  pushed    = { for name, function in local.functions : name => function if function.topic != null }

  job_name = "long-job"
  programs = toset(concat(keys(local.functions), [local.job_name]))
  members = merge({ for name in local.programs : name => google_service_account.program[name].member }, {
    builder = google_service_account.builder.member
  })

  number = data.google_project.this.number
  # Google's own accounts, in whose name its services act: those of apis.json, and two that are asked for here.
  agents = merge(
    { for agent in local.google.agents : agent.name => "serviceAccount:${replace(agent.account, "{number}", local.number)}" },
    {
      storage  = data.google_storage_project_service_account.this.member
      bigquery = data.google_bigquery_default_service_account.this.member
    },
  )

  # Deployment puts the real image in its place.
  placeholder = "us-docker.pkg.dev/cloudrun/container/hello"

  # Values of shared/platform/settings.py that have no default, or whose default is the laptop's.
  environment = merge(local.gpu, var.settings, {
    GOOGLE_CLOUD_PROJECT  = var.project
    HEADRACE_JOB_NAME     = var.long_job.enabled ? local.job_name : ""
    HEADRACE_JOB_LOCATION = var.region
    HEADRACE_JOB_TASKS    = tostring(local.long_job.tasks[var.size])
    HEADRACE_RETENTION    = jsonencode(merge(jsondecode(lookup(var.settings, "HEADRACE_RETENTION", "{}")), local.samples))
  })
  # Who may open the console, and how: Google accounts by Identity-Aware Proxy, or everybody who has a key.
  console_iap = length(setsubtract(var.console_people, ["allUsers"])) > 0
  # Called without IAM being asked. A load balancer calls in nobody's name; its service's ingress lets only it in.
  public = toset(concat(
    var.domain != null || contains(var.api_invokers, "allUsers") ? ["api"] : [],
    contains(var.console_people, "allUsers") ? ["console"] : [],
  ))
  # Where only a load balancer or Identity-Aware Proxy lets anybody in: a page (deploy/trial.py).
  closed = merge(
    var.domain == null ? {} : { api = "/openapi.json" },
    local.console_iap ? { console = "/sign-in" } : {},
  )
  console = {
    # Cloud Run's own address, which is known before the service is made: https://cloud.google.com/run/docs/triggering/https-request
    HEADRACE_API_URL              = var.domain == null ? "https://api-${local.number}.${var.region}.run.app" : "https://${var.domain}"
    HEADRACE_CONSOLE_IAP_AUDIENCE = local.console_iap ? "/projects/${local.number}/locations/${var.region}/services/console" : ""
  }

  # Days for which a deployment's samples are kept that it did not live to erase (deploy/trial.py).
  samples = { ".headrace-sample/" = 1 }
  # With a GPU the job costs more a second, and so pays from longer documents on: docs/cost.md.
  gpu = var.long_job.gpu ? {
    HEADRACE_JOB_GPU          = "true"
    HEADRACE_FUNCTION_SECONDS = "500"
    HEADRACE_JOB_TASK_SECONDS = "500"
  } : {}
}
