"""What holds for all tests."""

from hypothesis import settings

# A deadline for one example says how busy the machine is, not whether the code is right.
settings.register_profile("headrace", deadline=None)
settings.load_profile("headrace")
