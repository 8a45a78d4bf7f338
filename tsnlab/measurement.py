"""The programs of one measurement, run together on a lab's nodes, and the packets table of what they report."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tsnlab import packets as table
from tsnlab import tools
from tsnlab.analysis.uncertainty import settled
from tsnlab.best_effort import BestEffort
from tsnlab.case import Case
from tsnlab.errors import DeadlineError, TsnlabError
from tsnlab.node_report import Report
from tsnlab.ptp import Sync
from tsnlab.quantity import show_duration
from tsnlab.schedule.margin import frame_ns
from tsnlab.session import SECOND, Lab

if TYPE_CHECKING:
    import pandas as pd

_LOOK_NS = SECOND // 10


class Measurement:
    """One measurement of a case's stream.

    Args:
        lab: the lab.
        case: the experiment.
        sync: the running synchronisation, which is watched meanwhile; None if there is none.

    Attributes:
        start_ns, end_ns: of the stream, in ns of the lab's time.
    """

    def __init__(self, lab: Lab, case: Case, sync: Sync | None = None) -> None:
        self.lab = lab
        self.case = case
        self._sync = sync
        raw = lab.folder / "capture.jsonl" if lab.folder else None
        self.tool = tools.of(lab, case, sync, raw)
        self.load = BestEffort(lab, case.load, raw)
        self.start_ns = self.end_ns = self._looked_ns = lab.now_ns()

    @property
    def listener(self) -> Report:
        """What is received, as it comes; see :attr:`Report.on_rows`."""
        return self.tool.listener

    @property
    def _reports(self) -> Iterator[Report]:
        yield from (self.tool.talker, self.tool.listener, *self.load.reports)

    def run(self) -> None:
        """Starts everything in order, waits for the stream to end, and stops the load.

        Raises:
            CommandError, MachineError, HostError, DeadlineError: a program, a node or the lab failed.
        """
        self.tool.receive()
        self.load.start()
        self.tool.send()
        self.start_ns = self.lab.now_ns()
        self._wait_for_the_stream()
        self.tool.finish()
        self.end_ns = self.lab.now_ns()
        self.load.stop()

    def _wait_for_the_stream(self) -> None:
        stream = self.case.stream
        seconds = 60 + 20 * stream.cycle * stream.sent / SECOND
        self.lab.wait(self._is_over, "end of the stream", lab_seconds=seconds, wall_seconds=seconds)
        for report in self._reports:
            if report.has_failed:
                report.failed()
        if not self.tool.is_over():
            raise DeadlineError(f"the stream has not ended within {seconds:.0f} s of the lab's time")

    def _is_over(self) -> bool:
        """Whether there is nothing more to wait for; what every program has printed is taken meanwhile."""
        if self._sync is not None and self.lab.now_ns() - self._looked_ns >= _LOOK_NS:
            self._looked_ns = self.lab.now_ns()
            self._sync.look()
        failed = [report.has_failed for report in self._reports]
        return any(failed) or self.tool.is_over()

    def stop(self) -> None:
        """Ends what still runs, as far as the lab can; a node that is gone has nothing running."""
        for report in self._reports:
            with suppress(TsnlabError):
                report.stop()

    def frame(self, *, complete: bool) -> pd.DataFrame:
        """The packets reported so far, without those of the warm-up once there are others."""
        about = table.CaptureInfo(
            lab=self.lab.spec.name,
            case=self.case.name,
            run=self.lab.folder.name if self.lab.folder else "",
            cycle_ns=self.case.stream.cycle,
            window=self.case.stream.window,
            clock=self.lab.clock,
            late=self.tool.late(),
            complete=complete,
            badges=tuple(self._badges()),
            sync=self._synchronised(),
            load=self.load.counts(),
            timestamps=self.tool.timestamps(),
        )
        talker, listener = self.tool.talker, self.tool.listener
        frame = table.from_records(talker.rows, listener.rows, about, stream=0, stamps=talker.stamps)
        warm_up = self.case.stream.warm_up
        return settled(frame, warm_up) if warm_up < len(frame) else frame

    def _badges(self) -> Iterator[str]:
        yield from self.lab.badges
        if self.lab.spec.sync_threshold is not None:
            yield f"clocks within {show_duration(self.lab.spec.sync_threshold)} count as synchronised"
        if self.lab.virtual_time and self.case.stream.tool == "tsnlab":
            yield "injected wake-up latency"

    def _synchronised(self) -> dict[str, Any]:
        if self._sync is None:
            return {"ok": False, "why": "ptp4l was not running"}
        load = self.case.load
        waiting = 0
        if load is not None and load.rate > 0:
            # a message, and the one its path delay was measured by, may each have met a full frame on the wire
            rate = self.lab.spec.link_of(self.lab.listener).rate
            waiting = 2 * frame_ns(load.frame, rate)
        try:
            return self._sync.during(self.start_ns, max(self.end_ns, self.lab.now_ns()), waiting)
        except TsnlabError as error:
            return {"ok": False, "why": f"it could not be asked: {error}"}
