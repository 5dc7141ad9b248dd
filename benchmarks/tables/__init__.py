"""Numbers on report pages, read off page images, and how well they are found with their meaning."""
