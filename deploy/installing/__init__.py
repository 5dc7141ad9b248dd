"""Install, upgrade and destroy Headrace in a Google Cloud project: what `deploy/install` does.

Standard library only: it runs in a fresh checkout, before there is an environment. Each step asks the cloud
whether it is done already, so a run that was stopped is started again, wherever it stopped.
"""
