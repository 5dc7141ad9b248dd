# What Terraform makes of the configuration, without a project: its mock provider answers in Google's place.
#
#   terraform init -backend=false && terraform test

mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
  mock_data "google_storage_project_service_account" {
    defaults = { member = "serviceAccount:service-123456789012@gs-project-accounts.iam.gserviceaccount.com" }
  }
  mock_data "google_bigquery_default_service_account" {
    defaults = { member = "serviceAccount:bq-123456789012@bigquery-encryption.iam.gserviceaccount.com" }
  }
}

variables {
  project = "my-project"
  # An ephemeral variable must be said again to the apply of a test, and so must be said at all.
  slack_token = "none"
}

# As it comes.
run "plain" {
  command = apply

  assert {
    condition     = length(google_compute_security_policy.api) + length(google_compute_network.private) + length(google_cloudbuild_trigger.main) == 0
    error_message = "What is optional is made unasked."
  }
  assert {
    condition     = !anytrue(concat([for bucket in google_storage_bucket.all : bucket.force_destroy], [google_storage_bucket.sources.force_destroy, google_bigquery_dataset.results.delete_contents_on_destroy])) && alltrue([for secret in google_secret_manager_secret.all : secret.deletion_protection])
    error_message = "A mistake can destroy what is stored."
  }
  assert {
    condition     = alltrue([for index in google_firestore_index.composite : index.skip_wait && index.deletion_policy == "DELETE"])
    error_message = "Indexes are waited for one by one, or left behind when they are no longer declared."
  }
  assert {
    condition     = google_firestore_database.this.point_in_time_recovery_enablement == "POINT_IN_TIME_RECOVERY_ENABLED"
    error_message = "What was stored cannot be taken back, and nobody asked for that."
  }
  assert {
    condition     = length(google_cloud_run_v2_service_iam_member.api) == 0 && alltrue([for service in google_cloud_run_v2_service.function : !service.invoker_iam_disabled])
    error_message = "The API is open to somebody unasked."
  }
  assert {
    condition     = length(google_cloud_run_v2_service_iam_member.console) == 0 && !google_cloud_run_v2_service.function["console"].iap_enabled
    error_message = "The console is open to somebody unasked."
  }
  assert {
    condition     = alltrue([for service in google_cloud_run_v2_service.function : length(service.binary_authorization) == 0]) && length(google_cloud_run_v2_job.long[0].binary_authorization) == 0
    error_message = "A policy that nobody wrote is asked what may run."
  }
}

# With all that can be switched on.
run "everything" {
  command = apply

  variables {
    kms_key             = "projects/my-project/locations/europe-west1/keyRings/headrace/cryptoKeys/data"
    size                = "large"
    long_job            = { gpu = true }
    api_invokers        = ["allUsers"]
    console_people      = ["group:csr@example.org", "user:ada@example.org"]
    build               = { repository = "projects/my-project/locations/europe-west1/connections/github/repositories/headrace" }
    alert_emails        = ["operations@example.org"]
    alert_slack_channel = "#operations"
    budget              = { billing_account = "012345-6789AB-CDEF01", amount = 200.5 }
    private_egress      = true
    domain              = "headrace.example.org"
    settings            = { HEADRACE_RETENTION = "{\"\": 365}" }
    secrets             = { smtp-password = ["digest"], docpw-hr = ["ingest"] }

    binary_authorization = true
  }

  assert {
    condition = alltrue(concat(
      [for bucket in google_storage_bucket.all : bucket.encryption[0].default_kms_key_name == var.kms_key],
      [for topic in google_pubsub_topic.all : topic.kms_key_name == var.kms_key],
      [for secret in google_secret_manager_secret.all : secret.replication[0].user_managed[0].replicas[0].customer_managed_encryption[0].kms_key_name == var.kms_key],
      [for service in google_cloud_run_v2_service.function : service.template[0].encryption_key == var.kms_key],
      [
        google_cloud_run_v2_job.long[0].template[0].template[0].encryption_key == var.kms_key,
        google_artifact_registry_repository.images.kms_key_name == var.kms_key,
        google_storage_bucket.sources.encryption[0].default_kms_key_name == var.kms_key,
        google_bigquery_dataset.results.default_encryption_configuration[0].kms_key_name == var.kms_key,
        google_bigquery_table.results.encryption_configuration[0].kms_key_name == var.kms_key,
        google_firestore_database.this.cmek_config[0].kms_key_name == var.kms_key,
      ],
    ))
    error_message = "Something is stored without the customer's key."
  }
  assert {
    condition     = google_kms_crypto_key_iam_member.agent["bigquery"].member == data.google_bigquery_default_service_account.this.member
    error_message = "The key is for an account of BigQuery's that nobody asked for, and so may not exist."
  }
  assert {
    condition     = toset(keys(google_kms_crypto_key_iam_member.agent)) == toset(["artifactregistry", "bigquery", "firestore", "pubsub", "run", "secretmanager", "storage"])
    error_message = "Something that stores cannot encrypt, or what stores nothing has the key."
  }
  assert {
    condition     = google_cloud_run_v2_service.function["console"].iap_enabled && length([for service in google_cloud_run_v2_service.function : service if service.iap_enabled]) == 1
    error_message = "The console is not behind Identity-Aware Proxy, or something else is."
  }
  assert {
    condition     = [for member in google_cloud_run_v2_service_iam_member.console : member.member] == ["serviceAccount:service-123456789012@gcp-sa-iap.iam.gserviceaccount.com"] && length(google_iap_web_cloud_run_service_iam_member.person) == 2
    error_message = "The console can be reached past Identity-Aware Proxy, or not by those who may."
  }
  assert {
    condition     = [for name, service in google_cloud_run_v2_service.function : name if service.invoker_iam_disabled] == ["api"]
    error_message = "What is public is not, or something else is: allUsers is the API's, and behind IAP the console is for members."
  }
  assert {
    condition     = google_cloud_run_v2_service.function["api"].ingress == "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"
    error_message = "The API can be reached past its load balancer."
  }
  assert {
    condition     = alltrue([for name, service in google_cloud_run_v2_service.function : length(service.template[0].vpc_access) == (contains(["digest", "console"], name) ? 0 : 1)])
    error_message = "Others than digest and the console can reach the internet, or they cannot."
  }
  assert {
    condition     = one(google_compute_firewall.to_nobody[0].deny).protocol == "all" && google_compute_firewall.to_google[0].priority < google_compute_firewall.to_nobody[0].priority
    error_message = "The network lets something out, or not even Google's APIs."
  }
  assert {
    condition     = google_monitoring_notification_channel.slack[0].sensitive_labels[0].auth_token_wo == null
    error_message = "The Slack token is in the state."
  }
  assert {
    condition     = alltrue([for run in concat(values(google_cloud_run_v2_service.function), google_cloud_run_v2_job.long) : run.binary_authorization[0].use_default])
    error_message = "Something runs that the project's policy was not asked about."
  }
  assert {
    condition     = alltrue([for api in ["binaryauthorization", "containeranalysis"] : contains(keys(google_project_service.all), "${api}.googleapis.com")])
    error_message = "The policy's service is off, or the one that keeps what it asks for."
  }
  assert {
    condition     = google_cloud_run_v2_job.long[0].template[0].template[0].containers[0].resources[0].limits["nvidia.com/gpu"] == "1"
    error_message = "The job has no GPU."
  }
}

# An apply that turns services on or off asks for Google's accounts only in its course. Rights that stand must not be
# taken away and given anew meanwhile: a member that is not known before is an error here.
run "fewer_services" {
  command = plan

  variables {
    kms_key = "projects/my-project/locations/europe-west1/keyRings/headrace/cryptoKeys/data"
  }

  assert {
    condition     = google_pubsub_topic_iam_member.notification.member == "serviceAccount:service-123456789012@gs-project-accounts.iam.gserviceaccount.com"
    error_message = "For a while no upload is told of."
  }
  assert {
    condition     = alltrue([for agent in google_kms_crypto_key_iam_member.agent : startswith(agent.member, "serviceAccount:")])
    error_message = "For a while nothing can be decrypted."
  }
}

# Firestore's storage costs half as much, and cannot be taken back by seven days.
run "no_recovery" {
  command = plan

  variables {
    point_in_time_recovery = false
  }

  assert {
    condition     = google_firestore_database.this.point_in_time_recovery_enablement == "POINT_IN_TIME_RECOVERY_DISABLED"
    error_message = "It is paid for though it was switched off."
  }
}

# Before everything is destroyed: nothing refuses, and what is full is emptied.
run "unprotected" {
  command = plan

  variables {
    deletion_protection = false
    console_people      = ["allUsers"]
  }

  assert {
    condition     = alltrue([for bucket in concat(values(google_storage_bucket.all), [google_storage_bucket.sources]) : bucket.force_destroy]) && google_bigquery_dataset.results.delete_contents_on_destroy
    error_message = "A bucket or the dataset refuses while it holds something."
  }
  assert {
    condition = !anytrue(concat(
      [for service in google_cloud_run_v2_service.function : service.deletion_protection],
      [for secret in google_secret_manager_secret.all : secret.deletion_protection],
      [google_bigquery_table.results.deletion_protection, google_cloud_run_v2_job.long[0].deletion_protection],
    ))
    error_message = "Something is still protected."
  }
  assert {
    condition     = google_firestore_database.this.deletion_policy == "DELETE" && google_firestore_database.this.delete_protection_state == "DELETE_PROTECTION_DISABLED"
    error_message = "The database stays."
  }
  assert {
    condition     = alltrue([for part in concat(values(google_firestore_index.composite), values(google_firestore_field.unindexed), values(google_firestore_field.ttl)) : part.deletion_policy == "ABANDON"])
    error_message = "Indexes are removed one by one, and fields indexed anew, before their database goes."
  }
  assert {
    condition     = [for name, service in google_cloud_run_v2_service.function : name if service.invoker_iam_disabled] == ["console"] && length(google_cloud_run_v2_service_iam_member.console) == 0
    error_message = "The console is not open to who has a key, or by a binding that an organisation may refuse."
  }
}

# Without a job, nothing may start one, and documents that are too long are rejected.
run "no_job" {
  command = apply

  variables {
    size         = "medium"
    long_job     = { enabled = false }
    api_invokers = ["serviceAccount:scanner@my-project.iam.gserviceaccount.com"]
  }

  assert {
    condition     = [for member in google_cloud_run_v2_service_iam_member.api : member.member] == ["serviceAccount:scanner@my-project.iam.gserviceaccount.com"]
    error_message = "The API's callers are others than those named."
  }

  assert {
    condition     = length(google_cloud_run_v2_job.long) + length(google_cloud_run_v2_job_iam_member.program) + length(google_service_account_iam_member.job_starter) == 0
    error_message = "There is something of a job that there is not."
  }
  assert {
    condition     = alltrue([for service in google_cloud_run_v2_service.function : contains([for env in service.template[0].containers[0].env : "${env.name}=${env.value}"], "HEADRACE_JOB_NAME=")])
    error_message = "A function believes that there is a job."
  }
}

run "misspelt" {
  command = plan

  variables {
    project  = "My Project"
    size     = "smal"
    settings = { RETENTION = "1" }
    secrets  = { smtp-password = ["mailer"] }
    kms_key  = "data"
  }

  expect_failures = [var.project, var.size, var.settings, var.secrets, var.kms_key]
}

# Each value is well-formed, and no good beside the others.
run "elsewhere" {
  command = plan

  variables {
    project            = "a-project-whose-id-is-so-long"
    region             = "northamerica-northeast1"
    firestore_location = "nam5"
    kms_key            = "projects/p/locations/northamerica-northeast1/keyRings/headrace/cryptoKeys/data"
  }

  expect_failures = [var.project, var.firestore_location]
}
