"""The numbers of a measurement while it runs: `tsnlab analyse --follow`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from tsnlab.analysis.statistics import Statistics, gather
from tsnlab.errors import ConfigError
from tsnlab.folder import PACKETS, RUN_JSON, RunFolder
from tsnlab.formats.growing import Growing
from tsnlab.formats.parquet import ParquetSource

_LOOK_S = 1.0
_DRAW_S = 10.0  # between two drawings, at least


class Follower:
    """A run folder, and the statistics of what has arrived so far.

    Attributes:
        statistics: of all arrivals until the last look.
        growing: the reader.
    """

    def __init__(self, folder: Path) -> None:
        self.growing = Growing(folder)
        self._attempt = self.growing.attempt
        self.statistics = Statistics(self.growing.about)

    def look(self) -> bool:
        """Takes what is new; whether there was anything."""
        before = self.statistics.received
        for chunk in self.growing.fresh():
            if self.growing.attempt != self._attempt:
                # the measurement began anew
                self._attempt, before = self.growing.attempt, 0
                self.statistics = Statistics(self.growing.about)
            self.statistics.add(chunk)
        return self.statistics.received != before

    def conclude(self) -> None:
        """Takes the packets as they are in the end, if the measurement has come to one."""
        whole = self.growing.path.with_name(PACKETS)
        if whole.is_file():
            self.statistics = gather(ParquetSource(whole))

    def line(self) -> str:
        """The state in a line."""
        measured = self.statistics.indicators()
        counts, late, latency = measured.info, measured.scheduled_times_us, measured.rt_app_latency_us
        sent = max(self.growing.sent, counts.sent)
        said = f"{sent:,} sent, {counts.received:,} received, {counts.lost:,} missing"
        if late.count:
            high = "" if late.p99_9 is None else f", p99.9 {late.p99_9:.3f}"
            said += f"; scheduled times {late.min:.3f} to {late.max:.3f} us{high}"
        return said + (f"; application latency up to {latency.max:.3f} us" if latency.count else "")


def follow(folder: Path, say: Callable[[str], None], *, figures: Path | None = None) -> int:
    """Says how a measurement goes, once a second, until its run is over; gives the exit status.

    Args:
        folder: of the run.
        say: takes a line.
        figures: where to draw the figures of what there is, now and then.

    Raises:
        ConfigError: it is no run folder.
    """
    if not (folder / RUN_JSON).is_file():
        raise ConfigError(f"{folder}: not a run folder; `tsnlab run` names it, and results/ holds it")
    follower, drawn = Follower(folder), time.monotonic()
    while True:
        # asked first: what is written after this look is not missed
        status = RunFolder(folder).settle()["status"]
        if follower.look():
            say(follower.line())
            if figures is not None and time.monotonic() - drawn > _DRAW_S:
                _draw(follower, figures, folder.name)
                drawn = time.monotonic()
        if status != "running" or (folder / PACKETS).is_file():
            break
        time.sleep(_LOOK_S)
    follower.conclude()
    say(follower.line())
    if figures is not None and follower.statistics.received:
        _draw(follower, figures, folder.name)
    if follower.growing.damage:
        sys.stderr.write(f"dropped: {follower.growing.damage.dropped}\n")
    say(f"the measurement is over: tsnlab analyse {folder}")
    return 0


def _draw(follower: Follower, figures: Path, name: str) -> None:
    from tsnlab.plot import streamed

    streamed.save_all(follower.statistics, figures, name)
