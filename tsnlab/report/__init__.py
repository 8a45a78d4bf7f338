"""Reports: one HTML page for each run, and one that shows the runs side by side.

Both are self-contained and need no network and no script to be read.
"""

from tsnlab.report.beside import Beside, beside, indicator_table
from tsnlab.report.catalogue import index
from tsnlab.report.page import make

__all__ = ["Beside", "beside", "index", "indicator_table", "make"]
