"""Extraction of PDFs measured beside pypdf, pdfminer.six and markitdown: `make bench-ingest`."""
