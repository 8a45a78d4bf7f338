"""iperf3's JSON: what one side of a UDP test sent or received, also of a test that was stopped early.

Source: iperf 3.9 to 3.21, src/iperf_api.c. Only the sums at the end are read: a server whose client is told to stop
writes its last whole interval twice and the rest of the time not at all, but its sums are right.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from tsnlab.errors import ConfigError

HEADERS = 14 + 20 + 8
"""Bytes of Ethernet, IPv4 and UDP header in front of each datagram's payload."""


@dataclass(frozen=True)
class Datagrams:
    """What one side of a test counted.

    Attributes:
        frames: datagrams, one in each Ethernet frame.
        bytes: of Ethernet frames, without preamble, FCS and gap.
        seconds: the time they took.
        lost: datagrams that a receiver missed; 0 for a sender.
    """

    frames: int
    bytes: int
    seconds: float
    lost: int


def read(text: str) -> Datagrams:
    """Reads what `iperf3 -J` printed.

    Raises:
        ConfigError: it is not such a document, or a test that never began; iperf3's own error is in the message.
    """
    try:
        document = json.loads(text)
        end = document["end"]
        total = end["sum"]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"this is not what iperf3 -J prints: {text[:200]!r}") from error
    if not total.get("packets"):
        raise ConfigError(f"iperf3 sent nothing: {document.get('error', 'the test has no datagrams')}")
    lost = total["lost_packets"]
    frames = total["packets"] - lost
    payload = total["bytes"] if total["sender"] else end.get("sum_received", total)["bytes"]
    return Datagrams(frames, payload + frames * HEADERS, total["seconds"], lost)
