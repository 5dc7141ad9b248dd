"""Read files: their text in reading order, as blocks, without any of Google Cloud."""
