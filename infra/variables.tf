variable "project" {
  description = "Id of the Google Cloud project. Buckets are named after it."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "A project id has 6 to 30 lower-case letters, digits and hyphens, and begins with a letter."
  }

  validation {
    # Where gcloud puts sources, by a name of its own making: build.tf.
    condition     = length("run-sources-${var.project}-${var.region}") <= 63
    error_message = "The bucket run-sources-PROJECT-REGION may have 63 characters: take a shorter project id, or another region."
  }
}

variable "region" {
  description = "Where everything runs and is stored. Not every region has Cloud Scheduler, or a GPU for the long job, and some projects may build in few: docs/deploy.md, step 1."
  type        = string
  default     = "europe-west1"

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "A region is named like europe-west1."
  }
}

variable "size" {
  description = "Most instances of every function, and tasks of the long job at once: small fits the quotas of a new project, medium and large want more (docs/operations.md, Quotas)."
  type        = string
  default     = "small"

  validation {
    condition     = contains(["small", "medium", "large"], var.size)
    error_message = "small, medium or large."
  }
}

variable "firestore_location" {
  description = "Location of the database, which can never be changed; null: the region, as with kms_key it must be."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key == null || var.firestore_location == null || var.firestore_location == var.region
    error_message = "A database elsewhere cannot be encrypted by kms_key, which is a key of the region."
  }
}

variable "labels" {
  description = "Labels of everything that can have some, beside application = headrace."
  type        = map(string)
  default     = {}
}

variable "deletion_protection" {
  description = "Whether Terraform refuses to delete the database, secrets, services, the job and the table of results, and buckets and a dataset that hold something. To destroy everything, apply with false first; an index that is no longer declared is then left behind."
  type        = bool
  default     = true
}

variable "point_in_time_recovery" {
  description = "Whether Firestore can be restored as it was at any minute of the last seven days. That is billed like what is stored, so it doubles what storing costs (docs/cost.md); without it Firestore can read the last hour alone, and backups are yours to make."
  type        = bool
  default     = true
}

variable "kms_key" {
  description = "Full name of a Cloud KMS key in the region that encrypts all that is stored, from the first apply on; null: Google's own keys."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key == null || can(regex("^projects/[^/]+/locations/${var.region}/keyRings/[^/]+/cryptoKeys/[^/]+$", var.kms_key))
    error_message = "projects/PROJECT/locations/REGION/keyRings/RING/cryptoKeys/KEY, in the region of the data."
  }
}

variable "settings" {
  description = "Further settings of every function and of the job, as {HEADRACE_RETENTION = \"{\\\"\\\": 365}\"}; see shared/platform/settings.py."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.settings) : startswith(name, "HEADRACE_")])
    error_message = "Settings begin with HEADRACE_."
  }

  validation {
    # These name what Terraform makes; another value would name something else.
    condition     = length(setintersection(keys(var.settings), ["HEADRACE_JOB_NAME", "HEADRACE_JOB_LOCATION", "HEADRACE_JOB_TASKS"])) == 0
    error_message = "HEADRACE_JOB_NAME, HEADRACE_JOB_LOCATION and HEADRACE_JOB_TASKS follow from long_job, region and size."
  }
}

variable "secrets" {
  description = "Further secrets, by name, with the functions that read them: {digest-slack = [\"digest\"], docpw-hr = [\"ingest\"]}. Their values are added with gcloud."
  type        = map(set(string))
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.secrets) : can(regex("^[A-Za-z0-9_-]{1,255}$", name))])
    error_message = "A secret's name has letters, digits, hyphens and underscores."
  }

  validation {
    condition     = length(setsubtract(flatten(values(var.secrets)), ["ingest", "analyze", "api", "console", "sweep", "digest", "deadletter", "long-job"])) == 0
    error_message = "A reader is ingest, analyze, api, console, sweep, digest, deadletter or long-job."
  }
}

variable "work_days" {
  description = "Days for which artefacts of runs are kept."
  type        = number
  default     = 90

  validation {
    # A message lives for 7 days, and as long again as a dead letter: what it refers to must still be there.
    condition     = var.work_days >= 15 && floor(var.work_days) == var.work_days
    error_message = "A whole number of days, 15 or more."
  }
}

variable "uploads_soft_delete_days" {
  description = "Days in which a file that was deleted or overwritten in the uploads bucket can be restored; 0: it is gone at once."
  type        = number
  default     = 7

  validation {
    condition     = var.uploads_soft_delete_days == 0 || (var.uploads_soft_delete_days >= 7 && var.uploads_soft_delete_days <= 90)
    error_message = "0, or 7 to 90."
  }
}

variable "long_job" {
  description = "The job for what is too long for a function: whether there is one, and with a GPU. Without it such documents are rejected."
  type = object({
    enabled = optional(bool, true)
    gpu     = optional(bool, false)
  })
  default = {}
}

variable "api_invokers" {
  description = "Who may call the API's address, as IAM members; the API asks for its own key besides. [\"allUsers\"]: everybody who has a key."
  type        = set(string)
  default     = []
}

variable "console_people" {
  description = "Who may open the console: IAM members, [\"group:csr@example.org\"], whose accounts Identity-Aware Proxy asks for and vouches for; or [\"allUsers\"]: everybody who has a key. Nobody unless told."
  type        = set(string)
  default     = []

  validation {
    condition     = !contains(var.console_people, "allUsers") || length(var.console_people) == 1
    error_message = "Either people, or allUsers alone."
  }
}

variable "build" {
  description = "Repository that is built on every push to main, as Cloud Build (2nd generation) names it, and the models it deploys by their digests in the models bucket (empty: the repository's own); null: no trigger."
  type = object({
    repository       = string
    branch           = optional(string, "^main$")
    model_digest     = optional(string, "")
    gpu_model_digest = optional(string, "")
  })
  default = null

  validation {
    condition     = var.build == null || can(regex("^projects/[^/]+/locations/[^/]+/connections/[^/]+/repositories/[^/]+$", var.build.repository))
    error_message = "projects/PROJECT/locations/REGION/connections/CONNECTION/repositories/REPOSITORY; connect it in the console first."
  }
}

variable "alert_emails" {
  description = "Addresses that alerts go to."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for address in var.alert_emails : can(regex("^[^@\\s]+@[^@\\s]+$", address))])
    error_message = "E-mail addresses."
  }
}

variable "alert_slack_channel" {
  description = "Slack channel that alerts go to, as #operations; null: none. Wants slack_token."
  type        = string
  default     = null
}

variable "slack_token" {
  description = "Slack's OAuth token for Cloud Monitoring; not kept in the state."
  type        = string
  default     = null
  sensitive   = true
  ephemeral   = true
}

variable "slack_token_version" {
  description = "To be raised when the token changes, which Terraform cannot see."
  type        = number
  default     = 1
}

variable "budget" {
  description = "Spend a month, in the billing account's currency, of which 50, 90 and 100 per cent are told; null: no budget."
  type = object({
    billing_account = string
    amount          = number
  })
  default = null

  validation {
    condition     = var.budget == null || (can(regex("^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", var.budget.billing_account)) && try(var.budget.amount > 0, false))
    error_message = "A billing account is named like 012345-6789AB-CDEF01; the amount is more than nothing."
  }
}

variable "binary_authorization" {
  description = "Whether services and job run only what the project's policy of Binary Authorization lets in: docs/security.md, Supply chain."
  type        = bool
  default     = false
}

variable "private_egress" {
  description = "Whether all but digest, which tells people, can reach Google's APIs alone and nothing else outside."
  type        = bool
  default     = false
}

variable "domain" {
  description = "Name under which a load balancer with Cloud Armor serves the API; null: there is none."
  type        = string
  default     = null

  validation {
    condition     = var.domain == null || can(regex("^([a-z0-9-]+\\.)+[a-z]{2,}$", var.domain))
    error_message = "A name like headrace.example.org, which you point to the address in the outputs."
  }
}

variable "api_requests_per_minute" {
  description = "Requests of one address in a minute, beyond which the load balancer answers 429."
  type        = number
  default     = 600

  validation {
    condition     = var.api_requests_per_minute >= 1 && floor(var.api_requests_per_minute) == var.api_requests_per_minute
    error_message = "A whole number, 1 or more."
  }
}
