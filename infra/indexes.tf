# What the code asks Firestore for beyond what an index of a single field answers. Equality on several fields is
# answered from their own indexes together; a range or an order beside an equality is not.
# tests/unit/test_infra_indexes.py holds this against the code, query by query.

locals {
  # Of the encoder: 384 floats.
  dimensions = 384

  indexes = [
    # sweep: leases that are over, and documents that stand still; replay --since.
    { collection = "documents", group = false, fields = [["state", "ASCENDING"], ["lease.expires_at", "ASCENDING"]] },
    { collection = "documents", group = false, fields = [["state", "ASCENDING"], ["updated_at", "ASCENDING"]] },
    { collection = "documents", group = false, fields = [["results_pending", "ASCENDING"], ["updated_at", "ASCENDING"]] },
    { collection = "documents", group = false, fields = [["purge_pending", "ASCENDING"], ["updated_at", "ASCENDING"]] },
    { collection = "documents", group = false, fields = [["state", "ASCENDING"], ["timings.uploaded_at", "ASCENDING"]] },
    # Lists of documents, shared/documents/catalogue.py: an index for each filter and order, which Firestore merges.
    { collection = "documents", group = false, fields = [["state", "ASCENDING"], ["created_at", "DESCENDING"]] },
    { collection = "documents", group = false, fields = [["organisation_key", "ASCENDING"], ["created_at", "DESCENDING"]] },
    { collection = "documents", group = false, fields = [["year", "ASCENDING"], ["created_at", "DESCENDING"]] },
    { collection = "documents", group = false, fields = [["language", "ASCENDING"], ["created_at", "DESCENDING"]] },
    { collection = "documents", group = false, fields = [["facets", "CONTAINS"], ["created_at", "DESCENDING"]] },
    { collection = "documents", group = false, fields = [["state", "ASCENDING"], ["name", "ASCENDING"]] },
    { collection = "documents", group = false, fields = [["organisation_key", "ASCENDING"], ["name", "ASCENDING"]] },
    { collection = "documents", group = false, fields = [["year", "ASCENDING"], ["name", "ASCENDING"]] },
    { collection = "documents", group = false, fields = [["language", "ASCENDING"], ["name", "ASCENDING"]] },
    { collection = "documents", group = false, fields = [["facets", "CONTAINS"], ["name", "ASCENDING"]] },
    { collection = "documents", group = false, fields = [["state", "ASCENDING"], ["year", "DESCENDING"]] },
    { collection = "documents", group = false, fields = [["organisation_key", "ASCENDING"], ["year", "DESCENDING"]] },
    { collection = "documents", group = false, fields = [["language", "ASCENDING"], ["year", "DESCENDING"]] },
    { collection = "documents", group = false, fields = [["facets", "CONTAINS"], ["year", "DESCENDING"]] },
    { collection = "documents", group = false, fields = [["state", "ASCENDING"], ["initiatives", "DESCENDING"]] },
    { collection = "documents", group = false, fields = [["organisation_key", "ASCENDING"], ["initiatives", "DESCENDING"]] },
    { collection = "documents", group = false, fields = [["year", "ASCENDING"], ["initiatives", "DESCENDING"]] },
    { collection = "documents", group = false, fields = [["language", "ASCENDING"], ["initiatives", "DESCENDING"]] },
    { collection = "documents", group = false, fields = [["facets", "CONTAINS"], ["initiatives", "DESCENDING"]] },
    # A run's passages in their order, or what matters most first; Firestore combines these where several filters
    # are given.
    { collection = "passages", group = false, fields = [["run", "ASCENDING"], ["index", "ASCENDING"]] },
    { collection = "passages", group = false, fields = [["run", "ASCENDING"], ["page", "ASCENDING"], ["index", "ASCENDING"]] },
    { collection = "passages", group = false, fields = [["run", "ASCENDING"], ["initiative", "ASCENDING"], ["index", "ASCENDING"]] },
    { collection = "passages", group = false, fields = [["run", "ASCENDING"], ["topic_names", "CONTAINS"], ["index", "ASCENDING"]] },
    { collection = "passages", group = false, fields = [["run", "ASCENDING"], ["sentiment.label", "ASCENDING"], ["index", "ASCENDING"]] },
    { collection = "passages", group = false, fields = [["run", "ASCENDING"], ["action.label", "ASCENDING"], ["index", "ASCENDING"]] },
    { collection = "passages", group = false, fields = [["run", "ASCENDING"], ["salience", "DESCENDING"]] },
    { collection = "passages", group = false, fields = [["run", "ASCENDING"], ["initiative", "ASCENDING"], ["salience", "DESCENDING"]] },
    { collection = "passages", group = false, fields = [["run", "ASCENDING"], ["topic_names", "CONTAINS"], ["salience", "DESCENDING"]] },
    { collection = "passages", group = false, fields = [["run", "ASCENDING"], ["sentiment.label", "ASCENDING"], ["salience", "DESCENDING"]] },
    { collection = "passages", group = false, fields = [["run", "ASCENDING"], ["action.label", "ASCENDING"], ["salience", "DESCENDING"]] },
    # Initiatives of all documents, shared/api/stored.py.
    { collection = "passages", group = true, fields = [["initiative", "ASCENDING"], ["salience", "DESCENDING"]] },
    { collection = "passages", group = true, fields = [["initiative", "ASCENDING"], ["topic_names", "CONTAINS"], ["salience", "DESCENDING"]] },
    { collection = "passages", group = true, fields = [["initiative", "ASCENDING"], ["action.label", "ASCENDING"], ["salience", "DESCENDING"]] },
    # Search: shared/documents/search.py. The vector comes last, after the fields that are compared, and just before it what
    # Firestore puts there by itself: unsaid, every apply would see another index, and build it anew.
    { collection = "passages", group = true, fields = [["space", "ASCENDING"], ["__name__", "ASCENDING"], ["embedding", "VECTOR"]] },
    { collection = "passages", group = true, fields = [["space", "ASCENDING"], ["topic_names", "CONTAINS"], ["__name__", "ASCENDING"], ["embedding", "VECTOR"]] },
    { collection = "passages", group = true, fields = [["document", "ASCENDING"], ["space", "ASCENDING"], ["__name__", "ASCENDING"], ["embedding", "VECTOR"]] },
    { collection = "passages", group = true, fields = [["document", "ASCENDING"], ["space", "ASCENDING"], ["topic_names", "CONTAINS"], ["__name__", "ASCENDING"], ["embedding", "VECTOR"]] },
    # What people are to check first: shared/documents/corrections.py. Only passages that are worth it have `check`.
    { collection = "passages", group = true, fields = [["kind", "ASCENDING"], ["check", "DESCENDING"]] },
    { collection = "passages", group = true, fields = [["kind", "ASCENDING"], ["document", "ASCENDING"], ["check", "DESCENDING"]] },
    { collection = "passages", group = true, fields = [["kind", "ASCENDING"], ["topic_names", "CONTAINS"], ["check", "DESCENDING"]] },
    # Digests: what was uploaded in a window, archives apart; what waits; the newest of a schedule; deliveries that
    # are due; documents of one organisation.
    { collection = "documents", group = false, fields = [["members", "ASCENDING"], ["received_at", "ASCENDING"]] },
    { collection = "documents", group = false, fields = [["state", "ASCENDING"], ["waiting_since", "ASCENDING"]] },
    { collection = "digests", group = false, fields = [["schedule", "ASCENDING"], ["end", "DESCENDING"]] },
    { collection = "ticks", group = false, fields = [["state", "ASCENDING"], ["slot", "DESCENDING"]] }, # doctor
    { collection = "deliveries", group = true, fields = [["state", "ASCENDING"], ["next_at", "ASCENDING"]] },
    { collection = "deliveries", group = true, fields = [["state", "ASCENDING"], ["next_at", "DESCENDING"]] }, # doctor
    { collection = "outcomes", group = false, fields = [["organisation_key", "ASCENDING"], ["completed_at", "ASCENDING"]] },
    { collection = "outcomes", group = false, fields = [["organisation_key", "ASCENDING"], ["completed_at", "DESCENDING"]] },
  ]

  unindexed = {
    documents = ["summary", "incidents", "initiatives_top", "warnings", "recognised", "metadata", "job", "cost", "error", "published", "stated"]
    # All but the run and the hash of the text: a thousand pages have some ten thousand passages, and every entry is
    # stored for each. What lists and searches compare stands in the indexes above.
    passages = [
      "text", "embedding", "section", "figures", "span", "topics", "sentiment", "action", "index", "page", "row", "label",
      "language", "kind", "box", "table", "truncated", "space", "document", "model", "topic_names", "salience",
      "initiative", "initiative_score", "corrected", "check",
    ]
    batches     = ["partials", "packed", "corrected"]
    corrections = ["text", "fields", "was"]
    outcomes    = ["items", "vectors", "topics", "sentiment", "datapoints"]
    digests     = ["digest", "statistics"]
  }

  expiring = {
    leases = "expires_at"
    erased = "expires_at"
  }
}
