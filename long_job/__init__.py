"""The long job: what does not fit a function's limits, divided into shards that tasks lease and complete."""
