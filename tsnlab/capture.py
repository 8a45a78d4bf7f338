"""One measurement: talker, listener and load run together, and what they report becomes the packets table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsnlab import packets as table
from tsnlab import traffic
from tsnlab.case import Case, Load
from tsnlab.errors import MeasurementError, StepError, TsnlabError
from tsnlab.formats import datagrams, parquet
from tsnlab.hosts import Process
from tsnlab.live import Rows, view
from tsnlab.ptp import Sync
from tsnlab.schedule.margin import frame_ns
from tsnlab.session import Lab
from tsnlab.show.names import own

if TYPE_CHECKING:
    import pandas as pd


_IPERF3_START_S = 0.5


class Report:
    """What one node program says, line by line.

    Attributes:
        rows: its packets so far.
        about: its other records, merged.
    """

    def __init__(self, name: str, raw: Path | None) -> None:
        self.name = name
        self.rows: list[list[int]] = []
        self.about: dict[str, Any] = {}
        self.process: Process | None = None
        self._raw = raw
        self.on_rows: Callable[[Rows], None] | None = None

    def take(self, line: str) -> None:
        """Takes one JSON line."""
        if self._raw is not None:
            with self._raw.open("a", encoding="utf-8") as file:
                file.write(f'{{"from":"{self.name}","said":{line}}}\n')
        record = json.loads(line)
        rows = record.pop("packets", [])
        self.rows += rows
        self.about |= record
        if rows and self.on_rows is not None:
            self.on_rows(rows)


class Measurement:
    """The programs of one measurement on a lab's nodes."""

    def __init__(self, lab: Lab, case: Case) -> None:
        self.lab = lab
        self.case = case
        raw = lab.folder / "capture.jsonl" if lab.folder else None
        self.talker = Report("talker", raw)
        self.listener = Report("listener", raw)
        self.load = Report("load", raw)
        self.counter = Report("counter", raw)
        self.start_ns = self.end_ns = lab.now_ns()

    def run(self) -> None:
        """Starts everything in order, waits for the stream to end, and stops the load.

        Raises:
            CommandError, MachineError, DeadlineError: a program or the lab failed.
        """
        self._start_receivers()
        stream = self.case.stream
        self._start(self.talker, self.lab.talker.node, traffic.talker(self.lab, self.case))
        self._until(self.talker, "refused")
        self.start_ns = self.lab.now_ns()
        seconds = stream.cycle * stream.packets / 1e9
        self._wait(self.talker, 60 + 20 * seconds)
        self._wait(self.listener, 60)
        self.end_ns = self.lab.now_ns()
        self._stop_load()

    def _start_receivers(self) -> None:
        quiet_s = 0.5 + 5 * self.case.stream.cycle / 1e9
        self._start(self.listener, self.lab.listener.node, traffic.listener(self.lab, self.case, quiet_s))
        self._until(self.listener, "timestamps")
        if self.case.load is not None and self.case.load.rate > 0:
            self._start_load(self.case.load)

    def _start_load(self, load: Load) -> None:
        lab, source = self.lab, self.lab.spec.roles.load_source.node
        target = traffic.load_target(lab, load).node
        if load.tool == "frames":
            self._start(self.counter, target, traffic.load_counter(lab, load))
            self._start(self.load, source, traffic.load_sender(lab, load))
            self._until(self.load, "frames")
            return
        # iperf3 speaks only when it ends: its output is kept whole
        self.counter.process = lab.host(target).start(traffic.iperf3_server())
        lab.wait(lambda: False, "iperf3 server", lab_seconds=_IPERF3_START_S)
        self.load.process = lab.host(source).start(traffic.iperf3_client(lab, load))
        lab.wait(lambda: False, "iperf3 client", lab_seconds=_IPERF3_START_S)

    def _stop_load(self) -> None:
        for report in (self.load, self.counter):
            if report.process is None:
                continue
            result = report.process.stop(60)
            if report.about:
                result.check()
            else:
                report.about = asdict(datagrams.read(result.stdout))

    def _start(self, report: Report, node: str, argv: list[str]) -> None:
        report.process = self.lab.host(node).start(argv, report.take)

    def _until(self, report: Report, key: str) -> None:
        """Waits until a program has said something; it fails with the program if that ends first."""
        process = report.process
        assert process is not None
        self.lab.wait(
            lambda: key in report.about or process.returncode is not None,
            f"{report.name} to be ready",
            lab_seconds=30,
        )
        if key not in report.about:
            process.stop().check()
            raise StepError(f"the {report.name} ended before it was ready: {process.stderr}")

    def _wait(self, report: Report, seconds: float) -> None:
        assert report.process is not None
        report.process.wait(seconds).check()

    def stop(self) -> None:
        """Ends what still runs, as far as the lab can; a lab that is gone has nothing running."""
        for report in (self.talker, self.listener, self.load, self.counter):
            if report.process is not None and report.process.returncode is None:
                with suppress(TsnlabError):
                    report.process.stop()

    def frame(self, sync: Sync | None, *, complete: bool) -> pd.DataFrame:
        """The packets reported so far."""
        about = table.CaptureInfo(
            lab=self.lab.spec.name,
            case=self.case.name,
            run=self.lab.folder.name if self.lab.folder else "",
            cycle_ns=self.case.stream.cycle,
            window=self.case.stream.window,
            clock=self.lab.clock,
            late=_late(self.talker.about.get("errors", {})),
            complete=complete,
            badges=tuple(self._badges()),
            sync=self._sync(sync),
            load=self._load(),
        )
        return table.from_records(self.talker.rows, self.listener.rows, about, stream=0)

    def _badges(self) -> Iterator[str]:
        yield from self.lab.badges
        if self.lab.virtual_time:
            yield "injected wake-up latency"

    def _sync(self, sync: Sync | None) -> dict[str, Any]:
        if sync is None:
            return {"ok": False, "why": "ptp4l was not running"}
        load = self.case.load
        waiting = 0
        if load is not None and load.rate > 0:
            # a message, and the one its path delay was measured by, may each have met a full frame on the wire
            rate = self.lab.spec.link_of(self.lab.listener).rate
            waiting = 2 * frame_ns(load.frame, rate)
        return sync.during(self.start_ns, max(self.end_ns, self.lab.now_ns()), waiting)

    def _load(self) -> dict[str, Any]:
        sent, counted = self.load.about, self.counter.about
        if not sent or not counted:
            return {}
        return {
            "offered_bps": 8 * sent["bytes"] / sent["seconds"],
            "received_bps": 8 * counted["bytes"] / sent["seconds"],
            "frames_sent": sent["frames"],
            "frames_received": counted["frames"],
            "not_taken_by_the_kernel": sent.get("refused", 0),
            "not_counted_in_time": counted.get("dropped", 0),
        }


def _late(errors: dict[str, int]) -> dict[str, int]:
    """Why packets did not leave; what etf refuses at once is an error of send as well, and counted once."""
    refused = errors.get("send: ENOBUFS", 0) - errors.get("invalid launch time", 0)
    counts = {**errors, "send: ENOBUFS": max(0, refused)}
    return {reason: count for reason, count in counts.items() if count}


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
        SyncError: the synchronisation was lost and does not come back.
    """
    frame = _once(lab, case, sync, live)
    for _ in range(attempts - 1):
        if sync is None or table.info(frame).sync["ok"]:
            break
        sync.wait_locked()
        frame = _once(lab, case, sync, live)
    return frame


def _once(lab: Lab, case: Case, sync: Sync | None, live: bool) -> pd.DataFrame:
    measurement = Measurement(lab, case)
    with _kept(measurement, sync), view(case, live=live) as take:
        measurement.listener.on_rows = take
        measurement.run()
    frame = measurement.frame(sync, complete=True)
    _keep(lab, frame, sync)
    return frame


@contextmanager
def _kept(measurement: Measurement, sync: Sync | None) -> Iterator[None]:
    """Keeps what was measured when the measurement fails or is interrupted."""
    try:
        yield
    except (TsnlabError, KeyboardInterrupt) as error:
        measurement.stop()
        frame = measurement.frame(sync, complete=False)
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
