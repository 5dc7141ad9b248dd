"""A Google Cloud on this machine, as far as an installation needs one: it holds state, and refuses.

`state` is a project as a JSON file. `gcloud` and `terraform` are the two programs that an installation runs:
the first is written here, the second is the real one, with a provider (`provider`) that makes and reads what
`resources` knows. Nothing here runs what is deployed.
"""
