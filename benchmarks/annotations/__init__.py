"""Real sentences labelled by hand, for measuring and never for training; the text itself stays outside."""
