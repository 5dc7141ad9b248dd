"""The HTTP API without its server: what is asked, what is answered, and how both are described."""
