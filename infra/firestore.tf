resource "google_firestore_database" "this" {
  # The one that clients use without being told (shared/platform/clients.py).
  name                              = "(default)"
  location_id                       = coalesce(var.firestore_location, var.region)
  type                              = "FIRESTORE_NATIVE"
  concurrency_mode                  = "PESSIMISTIC"
  app_engine_integration_mode       = "DISABLED"
  point_in_time_recovery_enablement = var.point_in_time_recovery ? "POINT_IN_TIME_RECOVERY_ENABLED" : "POINT_IN_TIME_RECOVERY_DISABLED"
  delete_protection_state           = var.deletion_protection ? "DELETE_PROTECTION_ENABLED" : "DELETE_PROTECTION_DISABLED"
  deletion_policy                   = var.deletion_protection ? "PREVENT" : "DELETE"

  dynamic "cmek_config" {
    for_each = var.kms_key == null ? [] : [var.kms_key]
    content {
      kms_key_name = cmek_config.value
    }
  }

  depends_on = [google_project_service.all, google_kms_crypto_key_iam_member.agent]
}

# Indexes and fields are made side by side, and nobody waits for them here: a build waits until all are ready, before it
# tries what it deploys (`python -m deploy indexes`).
locals {
  # Before everything is destroyed: the database takes them along. One by one, a field would get its index back first, of
  # everything that is stored.
  with_database = var.deletion_protection ? "DELETE" : "ABANDON"
}

resource "google_firestore_index" "composite" {
  for_each = {
    for index in local.indexes : join("/", concat([index.collection], [for field in index.fields : join(" ", field)])) => index
  }

  database        = google_firestore_database.this.name
  collection      = each.value.collection
  query_scope     = each.value.group ? "COLLECTION_GROUP" : "COLLECTION"
  skip_wait       = true
  deletion_policy = local.with_database

  dynamic "fields" {
    for_each = each.value.fields
    content {
      field_path   = fields.value[0]
      order        = contains(["ASCENDING", "DESCENDING"], fields.value[1]) ? fields.value[1] : null
      array_config = fields.value[1] == "CONTAINS" ? "CONTAINS" : null

      dynamic "vector_config" {
        for_each = fields.value[1] == "VECTOR" ? [local.dimensions] : []
        content {
          dimension = vector_config.value
          flat {}
        }
      }
    }
  }
}

# As they were named before their fields were said as Firestore has them: the same indexes, not to be built anew.
moved {
  from = google_firestore_index.composite["passages/space ASCENDING/embedding VECTOR"]
  to   = google_firestore_index.composite["passages/space ASCENDING/__name__ ASCENDING/embedding VECTOR"]
}

moved {
  from = google_firestore_index.composite["passages/space ASCENDING/topic_names CONTAINS/embedding VECTOR"]
  to   = google_firestore_index.composite["passages/space ASCENDING/topic_names CONTAINS/__name__ ASCENDING/embedding VECTOR"]
}

moved {
  from = google_firestore_index.composite["passages/document ASCENDING/space ASCENDING/embedding VECTOR"]
  to   = google_firestore_index.composite["passages/document ASCENDING/space ASCENDING/__name__ ASCENDING/embedding VECTOR"]
}

moved {
  from = google_firestore_index.composite["passages/document ASCENDING/space ASCENDING/topic_names CONTAINS/embedding VECTOR"]
  to   = google_firestore_index.composite["passages/document ASCENDING/space ASCENDING/topic_names CONTAINS/__name__ ASCENDING/embedding VECTOR"]
}

# Firestore indexes every field unless told otherwise; these are large, or many, and never asked for.
resource "google_firestore_field" "unindexed" {
  for_each = merge([
    for collection, fields in local.unindexed : { for field in fields : "${collection}/${field}" => { collection = collection, field = field } }
  ]...)

  database        = google_firestore_database.this.name
  collection      = each.value.collection
  field           = each.value.field
  skip_wait       = true
  deletion_policy = local.with_database

  index_config {}
}

# Leases that ended long ago say nothing, and of what was erased then no message is on its way any more. Documents
# are not removed so: Firestore would leave what lies under them.
resource "google_firestore_field" "ttl" {
  for_each = local.expiring

  database        = google_firestore_database.this.name
  collection      = each.key
  field           = each.value
  skip_wait       = true
  deletion_policy = local.with_database

  # Moments that go on rising would make a hot spot of their index.
  index_config {}
  ttl_config {}
}
