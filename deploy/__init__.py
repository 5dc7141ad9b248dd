"""From the repository to running functions: staging, deploying, trying, moving traffic, releasing.

Steps of a build that call gcloud run in an image that has Python and nothing else: so all of it but `smoke`,
`model` and `sbom` is of the standard library.
"""
