"""Settings for all tests."""

from hypothesis import settings

# a slow machine is not a failure
settings.register_profile("tsnlab", deadline=None)
settings.load_profile("tsnlab")
