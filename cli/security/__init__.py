"""What `headrace doctor --security` looks at.

The judging functions are pure: they take what the clients return, so that a test gives them good and bad
cases. `reading` asks the services, and `audit` says in which order.
"""
