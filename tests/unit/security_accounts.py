"""Accounts of an invented project: Headrace's own, and others that a policy may name."""

from __future__ import annotations

OWN = "headrace-ingest@p.iam.gserviceaccount.com"
BUILDS = "headrace-builder@p.iam.gserviceaccount.com"
ACCOUNTS = {OWN: {"ingest"}, "headrace-api@p.iam.gserviceaccount.com": {"api"}, BUILDS: {"builder"}}
COMPUTE = "serviceAccount:123-compute@developer.gserviceaccount.com"
DEPLOYER = "serviceAccount:deploy@p.iam.gserviceaccount.com"
