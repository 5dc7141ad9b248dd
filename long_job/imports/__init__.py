"""The kind `archive`: a first import of every object under a prefix."""
