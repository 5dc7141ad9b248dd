"""The kind `train`: heads trained again on labelled rows of a bucket, and published if they are better."""
