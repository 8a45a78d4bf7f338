"""What the I210 does to a frame on its way out: checksums, segments, VLAN tag, padding.

Source: data sheet, sections 7.2.2.2 (context descriptor), 7.2.4 (TCP segmentation), 7.2.5 (checksums).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tsnlab.errors import DeviceError

SHORTEST = 60

_TCP, _UDP = 1, 0
_CHECKSUM_AT = {_TCP: 16, _UDP: 6}
_FIN_AND_PUSH = 0x09


@dataclass(frozen=True)
class Context:
    """A context descriptor, taken apart.

    Attributes:
        vlan: the tag to be inserted.
        mac_length, ip_length, l4_length: of the headers, in bytes.
        launch: launch time within the second, in steps of 32 ns.
        l4_type: 0 for UDP, 1 for TCP.
        ipv4: whether the network header is one of IPv4.
        segment: payload bytes of each segment.
    """

    vlan: int = 0
    mac_length: int = 0
    ip_length: int = 0
    l4_length: int = 0
    launch: int = 0
    l4_type: int = 0
    ipv4: bool = False
    segment: int = 0

    @classmethod
    def parse(cls, lengths: int, launch: int, command: int, segment: int) -> Context:
        """Takes the four words of a context descriptor."""
        return cls(
            vlan=lengths >> 16,
            mac_length=lengths >> 9 & 0x7F,
            ip_length=lengths & 0x1FF,
            l4_length=segment >> 8 & 0xFF,
            launch=launch & 0x1FFFFFF,
            l4_type=command >> 11 & 3,
            ipv4=bool(command >> 10 & 1),
            segment=segment >> 16,
        )


def ones_complement_sum(data: bytes, start: int = 0) -> int:
    """The 16-bit sum of RFC 1071, section 1, not inverted."""
    if len(data) & 1:
        data += b"\0"
    # 2**16 is 1 modulo 2**16 - 1: the sum of all words is the number itself, modulo that
    total = (int.from_bytes(data, "big") + start) % 0xFFFF
    return total or (0xFFFF if any(data) or start else 0)


def insert_l4_checksum(frame: bytearray, context: Context) -> None:
    """Completes the checksum of TCP or UDP, in whose place the sum of the pseudo header stands.

    Raises:
        DeviceError: the lengths of the context are not those of the frame.
    """
    start = context.mac_length + context.ip_length
    at = start + _CHECKSUM_AT.get(context.l4_type, 0)
    if context.l4_type not in _CHECKSUM_AT or at + 2 > len(frame):
        raise DeviceError(f"a checksum of type {context.l4_type} at byte {at} of a frame of {len(frame)} bytes")
    value = ~ones_complement_sum(bytes(frame[start:])) & 0xFFFF
    frame[at : at + 2] = (value or 0xFFFF).to_bytes(2, "big")


def insert_ip_checksum(frame: bytearray, context: Context) -> None:
    """Computes the checksum of an IPv4 header."""
    start, end = context.mac_length, context.mac_length + context.ip_length
    if end > len(frame) or context.ip_length < 20:
        raise DeviceError(f"an IPv4 header from byte {start} to {end} of a frame of {len(frame)} bytes")
    frame[start + 10 : start + 12] = b"\0\0"
    frame[start + 10 : start + 12] = (~ones_complement_sum(bytes(frame[start:end])) & 0xFFFF).to_bytes(2, "big")


def segments(data: bytes, context: Context) -> Iterator[bytearray]:
    """The frames that a large TCP or UDP frame is sent as.

    Raises:
        DeviceError: the lengths of the context are not those of the frame.
    """
    start, l4 = context.mac_length, context.mac_length + context.ip_length
    header_length = l4 + context.l4_length
    if context.segment == 0 or not l4 < header_length < len(data) or context.l4_type not in _CHECKSUM_AT:
        raise DeviceError(f"segments of {context.segment} bytes after {header_length} of {len(data)}")
    sequence = int.from_bytes(data[l4 + 4 : l4 + 8], "big")
    number = int.from_bytes(data[start + 4 : start + 6], "big")
    for index, at in enumerate(range(header_length, len(data), context.segment)):
        payload = data[at : at + context.segment]
        frame = bytearray(data[:header_length] + payload)
        length = len(frame) - start
        if context.ipv4:
            frame[start + 2 : start + 4] = length.to_bytes(2, "big")
            frame[start + 4 : start + 6] = ((number + index) & 0xFFFF).to_bytes(2, "big")
            insert_ip_checksum(frame, context)
        else:
            frame[start + 4 : start + 6] = (length - context.ip_length).to_bytes(2, "big")
        if context.l4_type == _TCP:
            offset = at - header_length
            frame[l4 + 4 : l4 + 8] = ((sequence + offset) & 0xFFFFFFFF).to_bytes(4, "big")
            if at + context.segment < len(data):
                frame[l4 + 13] &= ~_FIN_AND_PUSH
        else:
            frame[l4 + 4 : l4 + 6] = (len(frame) - l4).to_bytes(2, "big")
        _add_length_to_pseudo_header(frame, l4, context)
        insert_l4_checksum(frame, context)
        yield frame


def _add_length_to_pseudo_header(frame: bytearray, l4: int, context: Context) -> None:
    """The driver leaves the length out of a large frame's pseudo header, as it differs (igb_main.c, igb_tso)."""
    at = l4 + _CHECKSUM_AT[context.l4_type]
    total = ones_complement_sum(bytes(frame[at : at + 2]), len(frame) - l4)
    frame[at : at + 2] = total.to_bytes(2, "big")


def tagged(frame: bytes, tag: int) -> bytes:
    """The frame with an 802.1Q tag behind its addresses."""
    return frame[:12] + b"\x81\x00" + tag.to_bytes(2, "big") + frame[12:]


def padded(frame: bytes) -> bytes:
    """The frame, filled up to the shortest that Ethernet knows."""
    return frame if len(frame) >= SHORTEST else frame + bytes(SHORTEST - len(frame))
