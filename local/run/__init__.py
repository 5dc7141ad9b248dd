"""Cloud Run jobs, as Headrace uses them: the Admin API over SQLite, and each task as a process."""
