"""The kind `backfill`: stored documents through another model, and what that changes."""
