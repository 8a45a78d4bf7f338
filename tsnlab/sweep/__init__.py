"""Sweeps: one notebook at many points, in parallel, resumed where they were, gathered in one table.

A point is an ordinary run, with its executed notebook and its folder; what is known of a sweep is known from the
run.json of its points, so that nothing is lost however it ends.
"""

from tsnlab.sweep import chart
from tsnlab.sweep.conduct import Sweep, conduct
from tsnlab.sweep.page import make_page
from tsnlab.sweep.plan import Plan, Point, load_plan
from tsnlab.sweep.table import find_sweep, read_table, write_table

__all__ = [
    "Plan",
    "Point",
    "Sweep",
    "chart",
    "conduct",
    "find_sweep",
    "load_plan",
    "make_page",
    "read_table",
    "write_table",
]
