"""One measurement: talker, listener and load run together, and what they report becomes the packets table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tsnlab import packets as table
from tsnlab import qdisc
from tsnlab.case import Case
from tsnlab.errors import MeasurementError, TsnlabError
from tsnlab.formats import parquet
from tsnlab.live import view
from tsnlab.measurement import Measurement
from tsnlab.ptp import Sync
from tsnlab.session import Lab
from tsnlab.show.names import own

if TYPE_CHECKING:
    import pandas as pd


def record(lab: Lab, case: Case, sync: Sync | None = None, *, attempts: int = 1, live: bool = False) -> pd.DataFrame:
    """Measures the case's stream once, and once more if the synchronisation was lost meanwhile.

    With a run folder, what the nodes report is kept as it comes (``capture.jsonl``) and becomes
    ``packets.parquet`` in the end, also when the measurement is cut short; ``sync.parquet`` has every offset
    that was seen meanwhile.

    Args:
        sync: the running synchronisation; without it the numbers count as not synchronised.
        attempts: so many measurements at most; each but the first waits until the clocks are locked again.
        live: show the packets as they arrive, see :mod:`tsnlab.live`; nothing else is different.

    Returns:
        The packets table (see :mod:`tsnlab.packets`).

    Raises:
        MeasurementError: it was cut short; says why, and how many packets are kept where.
        StepError: gates of the case stand still; nothing was measured.
        SyncError: the synchronisation was lost and does not come back.
    """
    if sync is not None and sync.outdated:
        sync.wait_locked()
    _require_moving_gates(lab, case)
    frame = _once(lab, case, sync, live)
    for _ in range(attempts - 1):
        if sync is None or table.info(frame).sync["ok"]:
            break
        sync.wait_locked()
        frame = _once(lab, case, sync, live)
    return frame


def _require_moving_gates(lab: Lab, case: Case) -> None:
    """An interface that was switched off since its schedule was set has gates that stand still."""
    if case.taprio is not None:
        qdisc.check_gates(lab, lab.talker)
    if case.switch is not None and case.switch.qbv:
        qdisc.check_gates(lab, lab.spec.port_of(lab.listener))


def _once(lab: Lab, case: Case, sync: Sync | None, live: bool) -> pd.DataFrame:
    measurement = Measurement(lab, case, sync)
    with _kept(measurement, sync), view(case, live=live) as take:
        measurement.listener.on_rows = take
        measurement.run()
    frame = measurement.frame(complete=True)
    _keep(lab, frame, sync)
    return frame


@contextmanager
def _kept(measurement: Measurement, sync: Sync | None) -> Iterator[None]:
    """Keeps what was measured when the measurement fails or is interrupted."""
    try:
        yield
    except (TsnlabError, KeyboardInterrupt) as error:
        measurement.stop()
        frame = measurement.frame(complete=False)
        where = _keep(measurement.lab, frame, sync)
        received = table.info(frame).received
        reason = str(error) or "interrupted"
        raise MeasurementError(
            f"the measurement was cut short after {received} of {measurement.case.stream.packets} packets"
            f" ({where}):\n{reason}"
        ) from error


def _keep(lab: Lab, frame: pd.DataFrame, sync: Sync | None) -> str:
    if lab.folder is None:
        return "not kept: the lab was opened without a run folder"
    if sync is not None:
        sync.table().to_parquet(lab.folder / "sync.parquet")
    path = lab.folder / "packets.parquet"
    parquet.write(frame, path)
    (lab.folder / "capture.jsonl").unlink(missing_ok=True)
    return f"kept in {path}"


__dir__ = own(__name__)
