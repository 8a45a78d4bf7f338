"""Time synchronisation: ptp4l on the switch and on both ends of the stream, watched while it runs.

Source: the guide, Step 1; ptp4l(8), linuxptp's clock.c and port.c for what they log.
"""

from tsnlab.ptp.diagnosis import Cause
from tsnlab.ptp.sync import Sync, expected_error_ns, launch
from tsnlab.show.names import own

__all__ = ["Cause", "Sync", "expected_error_ns", "launch"]

__dir__ = own(__name__)
