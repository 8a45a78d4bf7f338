"""Where a command for a node runs: one way to run a command, one Result, whatever is behind it."""

from tsnlab.hosts.base import Host, LineHandler, Process, Result
from tsnlab.hosts.transcript import Transcript

__all__ = ["Host", "LineHandler", "Process", "Result", "Transcript"]
