"""Settings for all tests."""

import signal

from hypothesis import settings

# a shell that puts the tests into the background has them ignore Ctrl-C, which some of them press
signal.signal(signal.SIGINT, signal.default_int_handler)

# a slow machine is not a failure
settings.register_profile("tsnlab", deadline=None)
settings.load_profile("tsnlab")
