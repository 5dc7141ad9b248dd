"""Digests, measured: `make bench-digest`."""
