"""Nodes that are only imagined: they record what would be changed on them, and answer questions from an assumption.

The assumption is one: each node is as its system leaves it after the installation that the guide asks for. Its
interfaces are there and up, nothing of the guide has been done, no question fails. What a step does then changes the
answers as it would change those of the real node, as far as steps read back what they do. A command that is not known
here counts as a change: it is shown, never hidden.
"""

from tsnlab.hosts.planned.host import EndOfPlan, PlannedHost, PlannedProcess
from tsnlab.hosts.planned.node import PlannedNode
from tsnlab.hosts.planned.record import Entry, Record

__all__ = ["EndOfPlan", "Entry", "PlannedHost", "PlannedNode", "PlannedProcess", "Record"]
