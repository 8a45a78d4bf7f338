"""isochron: `send` on the talker's node, `rcv` on the listener's, and `report` on what they have logged.

Its terms for the guide's: a cycle begins at the base time; a packet is scheduled the shift time after that, which is
the launch time; the program wakes up the advance time before. So shift and advance time are both the launch time, and
the program wakes up where the cycle begins, as the talker does.

Source: NXP's isochron, docs/man/isochron-send.8, isochron-rcv.8, isochron-report.1. Statistics go over TCP.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tsnlab import links, stamping
from tsnlab.errors import ConfigError, StepError
from tsnlab.formats.chunk import Integers
from tsnlab.formats.isochron import VARIABLES, IsochronSource
from tsnlab.stamping import Stamping
from tsnlab.tools.base import Tool

_STATISTICS_PORT = 5000
_LISTENS = "0A"
_PATIENCE_S = 30
_LOOK_S = 0.1
_STOP_S = 10.0
_REPORT_S = 300.0
_LOG = "/tmp/isochron-{}.dat"
_FORMAT = " ".join(["%u", *["%d"] * (len(VARIABLES) - 1)]) + "\\n"


class Isochron(Tool):
    """isochron on both nodes."""

    _log = ""
    _sent = Stamping()

    def receive(self) -> None:
        """Starts `rcv`; see :class:`Tool`."""
        lab, end = self.lab, self.lab.listener
        self.listener.process = lab.host(end.node).start(self.receiver())
        deadline_ns = lab.now_ns() + _PATIENCE_S * 1_000_000_000
        while not self._listens():
            if self.listener.ended:
                self.listener.failed()
            if lab.now_ns() > deadline_ns:
                raise StepError(f"isochron rcv on {end.node} does not listen on port {_STATISTICS_PORT}")
            lab.wait(lambda: False, "isochron rcv", lab_seconds=_LOOK_S)

    def _listens(self) -> bool:
        sockets = self.lab.host(self.lab.listener.node).run(["cat", "/proc/net/tcp", "/proc/net/tcp6"], check=False)
        lines = [line.split() for line in sockets.stdout.splitlines()]
        port = f"{_STATISTICS_PORT:04X}"
        return any(words[1].endswith(f":{port}") and words[3] == _LISTENS for words in lines if len(words) > 3)

    def send(self) -> None:
        """Starts `send`; see :class:`Tool`."""
        lab, node = self.lab, self.lab.talker.node
        self._sent = stamping.prepare(lab, lab.talker, self.sync, sending=True)
        self._log = _LOG.format(secrets.token_hex(4))
        lab.journal.will_change(node, ["rm", "-f", self._log])
        self.talker.process = lab.host(node).start(self.sender(self._log))

    def finish(self) -> None:
        """Stops `rcv`, and reads the log; see :class:`Tool`."""
        self.talker.wait(_STOP_S)
        self.listener.stop()
        host = self.lab.host(self.lab.talker.node)
        argv = ["isochron", "report", "--input-file", self._log]
        said = host.run([*argv, "--printf-format", _FORMAT, "--printf-args", VARIABLES], timeout=_REPORT_S).stdout
        host.run(["rm", "-f", self._log])
        self.take(said)

    def take(self, text: str) -> None:
        """Takes what `report` has printed as the packets of both sides.

        Raises:
            StepError: it is damaged.
        """
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write(text)
            file.flush()
            source = IsochronSource(Path(file.name))
            columns = [chunk.columns for chunk in source.chunks()]
        if source.damage:
            raise StepError(f"isochron's report is not what was asked for: {source.damage}")
        for part in columns:
            self._take(part)

    def _take(self, part: Mapping[str, Integers]) -> None:
        names = ("seq", "interval_start", "tx_wakeup", "tx_program")
        sent = list(zip(*(part[name].tolist() for name in names), strict=True))
        stamps = zip(
            *(part[name].tolist() for name in ("seq", "tx_kernel_netsched", "tx_kernel_hardware")), strict=True
        )
        arrived = zip(part["rx_hardware"].tolist(), part["rx_kernel"].tolist(), strict=True)
        self.talker.rows += [list(row) for row in sent]
        self.talker.stamps += [list(row) for row in stamps]
        rows = [[0, *row, hardware, kernel, 0] for row, (hardware, kernel) in zip(sent, arrived, strict=True) if kernel]
        self.listener.rows += rows
        if self.listener.on_rows is not None:
            self.listener.on_rows(rows)

    def late(self) -> dict[str, int]:
        """Nothing is told by isochron of what did not leave."""
        return {}

    def timestamps(self) -> dict[str, str]:
        """By whom packets were stamped; see :class:`Tool`."""
        return {
            "sent": self._sent.sent + (f" ({self._sent.why})" if self._sent.why else ""),
            "received": "hardware" if any(row[5] for row in self.listener.rows) else "kernel",
        }

    def receiver(self) -> list[str]:
        """The command on the listener's node."""
        words = ["isochron", "rcv", "--interface", self.lab.listener.interface, "--quiet"]
        return [*words, "--sched-fifo", "--sched-priority", "90", "--utc-tai-offset", "0"]

    def sender(self, log: str) -> list[str]:
        """The command on the talker's node.

        Raises:
            ConfigError: the listener has no address in the lab file, which the statistics need.
        """
        lab, stream = self.lab, self.case.stream
        address = lab.spec.interface(lab.listener).address
        if address is None:
            raise ConfigError(f"{lab.listener} has no address in the lab file, which isochron needs")
        launch_ns = stream.launch_ns or 0
        options: dict[str, object] = {
            "interface": lab.talker.interface,
            "dmac": links.mac(lab, lab.listener),
            "client": address.partition("/")[0],
            "vid": stream.vlan,
            "priority": stream.priority,
            "base-time": lab.reference_ns,
            "shift-time": launch_ns,
            "advance-time": launch_ns,
            "cycle-time": stream.cycle,
            "num-frames": stream.sent,
            "frame-size": 112,
            "sched-priority": 90,
            "utc-tai-offset": 0,
            "output-file": log,
        }
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        launch = [] if stream.launch_ns is None else ["--txtime"]
        stamps = [] if self._sent.sent == "hardware" else ["--no-ts"]
        return ["isochron", "send", *words, "--sched-fifo", "--omit-sync", "--quiet", *launch, *stamps]
