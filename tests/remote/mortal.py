"""Servers that do not outlive the tests, however these end."""

WITH_US = ("setpriv", "--pdeathsig", "TERM")
"""Before a command: the kernel ends it when the process that started it is gone (setpriv(1), prctl(2))."""
