"""Extraction measured beside other libraries, format by format: `make bench-ingest`."""
