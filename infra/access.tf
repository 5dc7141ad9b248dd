# Who may do what, each bound to the one resource it is about. Secrets: secrets.tf; results: bigquery.tf.

locals {
  read   = "roles/storage.objectViewer"
  change = "roles/storage.objectUser"
  list   = "roles/storage.legacyBucketReader" # names and sizes of objects, and not what they hold

  bucket_access = {
    # The file; an archive's members are stored beside it, and stale ones deleted.
    ingest  = { uploads = local.change, work = local.change }
    analyze = { work = local.read }
    # It begins uploads, and erases.
    api    = { uploads = local.change, work = local.change, results = local.change }
    sweep  = { uploads = local.list, work = local.change, results = local.change } # finds lost uploads; erases
    digest = { results = local.change }
    # Uploads are begun in its name, and pages drawn and kept; erasing takes all of a document.
    console  = { uploads = local.change, work = local.change, results = local.change }
    long-job = { uploads = local.change, work = local.change, models = local.change } # trainings store models
    # Deployment stores the model that it built, what images consist of and its record, and erases its samples.
    builder = { work = local.change, results = local.change, models = local.change }
  }

  # Whoever handles a push may find it malformed, and passes it on as a dead letter. The API replays, and asks for digests.
  topic_access = {
    ingest   = ["batches", "results", "dead-letters"]
    analyze  = ["uploads", "batches", "results", "dead-letters"]
    api      = ["uploads", "ticks"]
    sweep    = ["uploads", "batches", "results", "dead-letters"]
    digest   = ["dead-letters"]
    console  = ["uploads", "ticks"] # replays, and asks for digests
    long-job = ["uploads", "results", "dead-letters"]
    # Its own topic: a dead letter that is malformed itself.
    deadletter = ["results", "dead-letters"]
  }
}

resource "google_storage_bucket_iam_member" "program" {
  for_each = merge([
    for name, roles in local.bucket_access : { for bucket, role in roles : "${bucket}/${name}" => { bucket = bucket, name = name, role = role } }
  ]...)

  bucket = google_storage_bucket.all[each.value.bucket].name
  role   = each.value.role
  member = local.members[each.value.name]
}

# Who erases says how long the buckets keep what was deleted, which only those know who may read the buckets themselves.
resource "google_storage_bucket_iam_member" "eraser" {
  for_each = merge([
    for name in ["api", "console"] : { for bucket in keys(local.bucket_access[name]) : "${bucket}/${name}" => { bucket = bucket, name = name } }
  ]...)

  bucket = google_storage_bucket.all[each.value.bucket].name
  role   = local.list
  member = local.members[each.value.name]
}

resource "google_pubsub_topic_iam_member" "publisher" {
  for_each = merge([
    for name, topics in local.topic_access : { for topic in topics : "${topic}/${name}" => { topic = topic, name = name } }
  ]...)

  topic  = google_pubsub_topic.all[each.value.topic].id
  role   = "roles/pubsub.publisher"
  member = local.members[each.value.name]
}

resource "google_pubsub_topic_iam_member" "notification" {
  topic  = google_pubsub_topic.all["uploads"].id
  role   = "roles/pubsub.publisher"
  member = local.agents.storage

  # It never changes, but is not known before an apply that turns a service on or off: the right would be taken away
  # and given anew, and of what is uploaded in between nobody would be told.
  lifecycle {
    ignore_changes = [member]
  }
}

# To pass on what was delivered in vain, Pub/Sub takes it from the subscription and publishes it itself.
resource "google_pubsub_topic_iam_member" "dead_letters" {
  topic  = google_pubsub_topic.all["dead-letters"].id
  role   = "roles/pubsub.publisher"
  member = local.agents.pubsub
}

resource "google_pubsub_subscription_iam_member" "dead_letters" {
  for_each = {
    for subscription in google_pubsub_subscription.push :
    subscription.name => subscription.id if length(subscription.dead_letter_policy) > 0
  }

  subscription = each.value
  role         = "roles/pubsub.subscriber"
  member       = local.agents.pubsub
}

# Firestore has no policy of its own on a database: the project's, on the condition that it is this database, or what is
# in it: a build asks for its indexes, and by which name Firestore then asks IAM is said nowhere.
resource "google_project_iam_member" "firestore" {
  for_each = local.members

  #checkov:skip=CKV_GCP_49:The role has no right over accounts or their keys.
  project = var.project
  role    = "roles/datastore.user" # the API notes when a key was last used
  member  = each.value

  condition {
    title      = "headrace-database"
    expression = "resource.name.startsWith(\"projects/${var.project}/databases/${google_firestore_database.this.name}\")"
  }
}

resource "google_cloud_run_v2_service_iam_member" "pusher" {
  for_each = local.pushed

  location = google_cloud_run_v2_service.function[each.key].location
  name     = google_cloud_run_v2_service.function[each.key].name
  role     = "roles/run.invoker"
  member   = google_service_account.pusher.member
}

resource "google_cloud_run_v2_service_iam_member" "api" {
  for_each = contains(local.public, "api") ? [] : var.api_invokers

  location = google_cloud_run_v2_service.function["api"].location
  name     = google_cloud_run_v2_service.function["api"].name
  role     = "roles/run.invoker"
  member   = each.value
}

# Identity-Aware Proxy calls in its own name for whoever it lets in.
resource "google_cloud_run_v2_service_iam_member" "console" {
  for_each = local.console_iap ? toset([local.agents.iap]) : []

  location = google_cloud_run_v2_service.function["console"].location
  name     = google_cloud_run_v2_service.function["console"].name
  role     = "roles/run.invoker"
  member   = each.value
}

resource "google_iap_web_cloud_run_service_iam_member" "person" {
  for_each = local.console_iap ? var.console_people : []

  location               = google_cloud_run_v2_service.function["console"].location
  cloud_run_service_name = google_cloud_run_v2_service.function["console"].name
  role                   = "roles/iap.httpsResourceAccessor"
  member                 = each.value
}

# Questions in words are turned into vectors by the API, which has the model.
resource "google_cloud_run_v2_service_iam_member" "console_to_api" {
  location = google_cloud_run_v2_service.function["api"].location
  name     = google_cloud_run_v2_service.function["api"].name
  role     = "roles/run.invoker"
  member   = local.members["console"]
}

# To start the job with a document's arguments, and to ask whether an execution still runs, as the job asks of others of
# its own: what shared/documents/delegation.py calls. Roles of our own would be narrower by the right to cancel and by what
# of the job can be read, but their names stay taken for five weeks after a `terraform destroy`.
locals {
  start = "roles/run.jobsExecutorWithOverrides"
  look  = "roles/run.viewer"

  job_access = { ingest = [local.start], sweep = [local.start, local.look], long-job = [local.look] }
}

resource "google_cloud_run_v2_job_iam_member" "program" {
  for_each = var.long_job.enabled ? merge([
    for name, roles in local.job_access : { for role in roles : "${name}/${role}" => { name = name, role = role } }
  ]...) : {}

  location = google_cloud_run_v2_job.long[0].location
  name     = google_cloud_run_v2_job.long[0].name
  role     = each.value.role
  member   = local.members[each.value.name]
}

# Who starts the job starts something that acts in its account's name. Google documents that for making a job alone, and
# yet Cloud Run has refused to run one with overrides without it:
# https://github.com/GoogleCloudPlatform/LifeSciences/pull/87
resource "google_service_account_iam_member" "job_starter" {
  for_each = var.long_job.enabled ? toset([for name, roles in local.job_access : name if contains(roles, local.start)]) : []

  service_account_id = google_service_account.program[local.job_name].name
  role               = "roles/iam.serviceAccountUser"
  member             = local.members[each.key]
}
