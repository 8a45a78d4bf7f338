"""The best-effort load of a measurement: started, watched, stopped, and counted at both of its ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tsnlab import traffic
from tsnlab.case import Load
from tsnlab.errors import StepError
from tsnlab.formats import datagrams
from tsnlab.node_report import Report
from tsnlab.session import Lab

_SETTLE_S = 0.5
_LOOK_S = 0.1
_PATIENCE_S = 20
_PORT = ":1451 "  # iperf3's 5201, as /proc/net/tcp has it
_LISTENS = " 0A "


class BestEffort:
    """What makes the load, and what counts it.

    Args:
        lab: the lab.
        load: what is asked for; a rate of 0 is none.
        raw: where what is said is kept.
    """

    def __init__(self, lab: Lab, load: Load | None, raw: Path | None) -> None:
        self._lab = lab
        self._load = load if load is not None and load.rate > 0 else None
        self.sender = Report("load", raw)
        self.counter = Report("counter", raw)

    @property
    def reports(self) -> Iterator[Report]:
        """Its programs."""
        yield from (self.sender, self.counter)

    def start(self) -> None:
        """Starts the counter and then the sender, and waits until frames are sent.

        Raises:
            StepError, CommandError: a program ended, or the server does not come up.
        """
        if self._load is None:
            return
        lab, source = self._lab, self._lab.spec.roles.load_source.node
        target = traffic.load_target(lab, self._load).node
        if self._load.tool == "frames":
            self.counter.start(lab, target, traffic.load_counter(lab, self._load))
            self.sender.start(lab, source, traffic.load_sender(lab, self._load))
            self.sender.wait_for(lab, "frames")
            return
        # iperf3 speaks only when it ends: its output is kept whole
        self.counter.process = lab.host(target).start(traffic.iperf3_server())
        self._wait_for_server(target)
        self.sender.process = lab.host(source).start(traffic.iperf3_client(lab, self._load))
        lab.wait(lambda: self.sender.ended, "iperf3 client", lab_seconds=_SETTLE_S)
        if self.sender.ended:
            self.sender.failed()

    def _wait_for_server(self, node: str) -> None:
        host = self._lab.host(node)
        end_ns = self._lab.now_ns() + _PATIENCE_S * 1_000_000_000
        while True:
            sockets = host.run(["cat", "/proc/net/tcp", "/proc/net/tcp6"], check=False).stdout.splitlines()
            if any(_PORT in line and _LISTENS in line for line in sockets):
                return
            if self.counter.ended:
                self.counter.failed()
            if self._lab.now_ns() > end_ns:
                raise StepError(f"iperf3 on {node} does not listen on port 5201 after {_PATIENCE_S} s")
            self._lab.wait(lambda: False, "iperf3 server", lab_seconds=_LOOK_S)

    def stop(self) -> None:
        """Stops both, the sender first, and reads what they counted.

        Raises:
            CommandError: one of them failed.
            ConfigError: iperf3 sent nothing; its own error is in the message.
        """
        for report in self.reports:
            if report.process is None:
                continue
            result = report.process.stop(60)
            if report.about:
                result.check()
            else:
                report.about = asdict(datagrams.read(result.stdout))

    def counts(self) -> dict[str, Any]:
        """What was offered and what arrived; see :class:`tsnlab.packets.CaptureInfo`."""
        sent, counted = self.sender.about, self.counter.about
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
