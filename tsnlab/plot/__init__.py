"""Figures of captures: the guide's report, time series, gates with the packets in them, cases side by side.

Every figure names its units, its clock and what became of the packets, and wears the capture's badges.
matplotlib's Figure is used directly, without pyplot, so that drawing never touches the state of a notebook
or a program.
"""

from tsnlab.plot.comparison import compare
from tsnlab.plot.gate_chart import gates
from tsnlab.plot.page import report
from tsnlab.plot.timeline import time_series
from tsnlab.show.names import own

__all__ = ["compare", "gates", "report", "time_series"]

__dir__ = own(__name__)
