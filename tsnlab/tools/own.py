"""tsnlab's own talker and listener."""

from __future__ import annotations

from tsnlab import stamping, traffic
from tsnlab.stamping import Stamping
from tsnlab.tools.base import Tool

_LISTENER_S = 60


class Own(Tool):
    """The programs of :mod:`tsnlab.node`."""

    _sent = _received = Stamping()

    def receive(self) -> None:
        """Starts the listener; see :class:`Tool`."""
        lab, cycle_s = self.lab, self.case.stream.cycle / 1e9
        self._received = stamping.prepare(lab, lab.listener, self.sync, sending=False)
        quiet_s = 0.5 + 5 * cycle_s
        self.listener.start(lab, lab.listener.node, traffic.listener(lab, self.case, quiet_s, self._received))
        self.listener.wait_for(lab, "timestamps")

    def send(self) -> None:
        """Starts the talker; see :class:`Tool`."""
        lab = self.lab
        self._sent = stamping.prepare(lab, lab.talker, self.sync, sending=True)
        self.talker.start(lab, lab.talker.node, traffic.talker(lab, self.case, self._sent))
        self.talker.wait_for(lab, "refused")

    def finish(self) -> None:
        """Waits for the listener; see :class:`Tool`."""
        self.listener.wait(_LISTENER_S)

    def late(self) -> dict[str, int]:
        """Why packets did not leave; what etf refuses at once is an error of send as well, and counted once."""
        errors = self.talker.about.get("errors", {})
        refused = errors.get("send: ENOBUFS", 0) - errors.get("invalid launch time", 0)
        counts = {**errors, "send: ENOBUFS": max(0, refused)}
        return {reason: count for reason, count in counts.items() if count}

    def timestamps(self) -> dict[str, str]:
        """By whom packets were stamped; see :class:`Tool`."""
        received = self.listener.about.get("timestamps", self._received.received)
        why = self._received.why if received != "hardware" else ""
        return {"sent": _said(self._sent.sent, self._sent.why), "received": _said(received, why)}


def _said(source: str, why: str) -> str:
    return f"{source} ({why})" if why else source
