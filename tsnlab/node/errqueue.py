"""A socket's error queue: which frames the qdisc dropped and why, and when the others left.

Source: Documentation/networking/timestamping.rst, sections 1.3 and 2.1; include/uapi/linux/errqueue.h, if_packet.h.
"""

from __future__ import annotations

import socket
import struct

SO_TIMESTAMPING = 37
TX_HARDWARE, TX_SOFTWARE, SOFTWARE, RAW_HARDWARE = 1 << 0, 1 << 1, 1 << 4, 1 << 6
OPT_ID, OPT_TSONLY, OPT_TX_SWHW = 1 << 7, 1 << 11, 1 << 14
SOL_PACKET, PACKET_TX_TIMESTAMP = 263, 16
ORIGIN_TIMESTAMPING, ORIGIN_TXTIME = 4, 6
TXTIME_REASONS = {1: "invalid launch time", 2: "missed launch time"}
EXTENDED_ERROR = struct.Struct("=IBBBBII")  # errno, origin, type, code, pad, info, data
TIMESTAMPS = struct.Struct("=qqqqqq")  # software, (deprecated), raw hardware
SECOND = 1_000_000_000


class ErrorQueue:
    """What the kernel reports of the frames that a socket has sent.

    Attributes:
        errors: how many frames were dropped, by reason.
    """

    def __init__(self, transmitter: socket.socket, tai_offset_ns: int) -> None:
        self.errors: dict[str, int] = {}
        self._transmitter = transmitter
        self._tai_offset_ns = tai_offset_ns
        self._left: dict[int, list[int]] = {}

    def ask_for_stamps(self, hardware: bool) -> None:
        """Has every frame stamped when it leaves its qdisc, and by the interface if that can."""
        flags = TX_SOFTWARE | SOFTWARE | OPT_ID | OPT_TSONLY
        flags |= (TX_HARDWARE | RAW_HARDWARE | OPT_TX_SWHW) if hardware else 0
        self._transmitter.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, flags)

    def read(self) -> None:
        """Takes what has been reported since."""
        while True:
            try:
                _, ancillary, _, _ = self._transmitter.recvmsg(256, 512, socket.MSG_ERRQUEUE)
            except BlockingIOError:
                return
            self._take(ancillary)

    def taken(self) -> list[list[int]]:
        """The stamps since the last call: sequence number, when it left the qdisc and the interface; 0 if unknown."""
        rows, self._left = [[number + 1, *stamps] for number, stamps in sorted(self._left.items())], {}
        return rows

    def _take(self, ancillary: list[tuple[int, int, bytes]]) -> None:
        stamps = b""
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPING:
                stamps = data
            elif level == SOL_PACKET and kind == PACKET_TX_TIMESTAMP:
                _number, origin, _type, code, _pad, _info, identifier = EXTENDED_ERROR.unpack_from(data)
                if origin == ORIGIN_TXTIME:
                    reason = TXTIME_REASONS.get(code, "launch error %d" % code)
                    self.errors[reason] = self.errors.get(reason, 0) + 1
                elif origin == ORIGIN_TIMESTAMPING and stamps:
                    self._stamp(identifier, stamps)

    def _stamp(self, identifier: int, stamps: bytes) -> None:
        soft, soft_ns, _, _, hard, hard_ns = TIMESTAMPS.unpack_from(stamps)
        software, hardware = soft * SECOND + soft_ns, hard * SECOND + hard_ns
        row = self._left.setdefault(identifier, [0, 0])
        if software:
            row[0] = software + self._tai_offset_ns
        if hardware:
            row[1] = hardware
