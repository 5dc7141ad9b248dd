"""What holds for all tests."""

from hypothesis import settings

# A deadline for one example says how busy the machine is, not whether the code is right. Each run draws other
# examples, and a push runs all tests: fewer of them each time find the same, a little later.
settings.register_profile("headrace", deadline=None, max_examples=50)
settings.load_profile("headrace")
