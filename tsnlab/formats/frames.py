"""Packets out of captured frames, by the description of their payload, and back into frames.

Link types: Ethernet with any VLAN tags (802.1Q, 802.1ad), and Linux cooked captures of both versions, which
is what an AF_PACKET capture of all interfaces gives.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from tsnlab import packets
from tsnlab.errors import ConfigError
from tsnlab.formats import ip, pcap, pcapng
from tsnlab.formats.chunk import Chunk, Damage, Integers, gathered
from tsnlab.formats.handback import MARK, HandBack
from tsnlab.formats.payload import NETLATENCY, Payload, PayloadField
from tsnlab.formats.window import Frames, Window
from tsnlab.packets import ArrivalColumn

_PROTOCOL_AT = {1: 12, 113: 14, 276: 0}  # link types Ethernet, LINUX_SLL, LINUX_SLL2
_HEADER = {1: 14, 113: 16, 276: 20}
_VLAN = (0x8100, 0x88A8, 0x9100)
_MOST_TAGS = 3
_KINDS = {"u8": "u1", "u16": "u2", "u32": "u4", "u64": "u8", "i64": "i8"}


class PcapSource:
    """A capture in a pcap or pcapng file, read chunk by chunk.

    Args:
        path: the file.
        payload: what the measured frames look like; all others are passed over.
        arrival: the column for the times of the capture. A capture does not say who took them: rx_hardware
            is right for `tcpdump -j adapter_unsynced` and the like.
        cycle_ns: the cycle, for payloads that do not say it; 0 if not known.
        base_ns: a time at which a cycle begins, for payloads without one: the cycle of a packet is the last
            that began before the program sent it.
        columns: which columns to read; by default those that the statistics need.

    Attributes:
        others: how many frames were not measured ones.

    Raises:
        ConfigError: there is no such file, or it is not a pcap or pcapng file.
    """

    counted = False

    def __init__(
        self,
        path: str | os.PathLike[str],
        payload: Payload = NETLATENCY,
        *,
        arrival: ArrivalColumn = "rx_kernel",
        cycle_ns: int = 0,
        base_ns: int = 0,
        columns: Sequence[str] | None = None,
    ) -> None:
        self.path = Path(path)
        self.damage = Damage()
        self.others = 0
        self.about = packets.CaptureInfo(
            lab="unknown",
            case=self.path.stem,
            cycle_ns=cycle_ns,
            arrival=arrival,
            clock=f"as captured, not named; transmit times as {payload.name} carries them",
        )
        self._payload = payload
        self._arrival: ArrivalColumn = arrival
        self._base_ns = base_ns
        self._columns = set(columns or (*packets.KEY_COLUMNS, "interval_start", "tx_program", arrival))
        try:
            with self.path.open("rb") as file:
                beginning = file.read(12)
        except OSError as error:
            raise ConfigError(f"{self.path}: {error.strerror}; expected a pcap or pcapng file") from error
        if not pcap.is_pcap(beginning) and not pcapng.is_pcapng(beginning):
            raise ConfigError(f"{self.path}: byte 0: neither a pcap nor a pcapng file")
        self._read = pcap.frames if pcap.is_pcap(beginning) else pcapng.frames

    def chunks(self) -> Iterator[Chunk]:
        """All packets, in the order of the file."""
        return gathered(self._tables())

    def _tables(self) -> Iterator[Chunk]:
        self.damage = Damage()
        self.others = 0
        back = HandBack()
        with self.path.open("rb", buffering=0) as file:
            for frames in self._read(Window(file), self.damage, str(self.path)):
                table = self._packets(frames)
                done = back.push(table) if len(table["seq"]) else None
                if done is not None:
                    yield done
        rest = back.finish()
        if rest is not None:
            yield rest

    def _packets(self, frames: Frames) -> dict[str, Integers]:
        """The measured packets among frames: their columns."""
        mine, at = self._found(frames)
        self.others += len(frames) - len(mine)
        good = mine.lengths >= at + self._payload.size
        if not good.all():
            cut = int(len(mine) - good.sum())
            self.damage.note(f"{self.path}: byte {mine.offset}", f"{cut} frames end within the payload", cut)
            mine, at = mine.where(good), at if isinstance(at, int) else at[good]
        table = {name: _values(mine, at, one) for name, one in self._payload.fields.items() if self._wanted(name)}
        before = {name: one for name, one in self._payload.before.items() if self._wanted(name)}
        table |= {MARK + name: _values(mine, at, one) for name, one in before.items()}
        table |= {name: np.zeros(len(mine), dtype=np.int64) for name in ("stream", *before) if name not in table}
        table[self._arrival] = mine.times
        self._complete(table)
        return table

    def _wanted(self, name: str) -> bool:
        return name in self._columns or (name == "interval_us" and not self.about.cycle_ns)

    def _complete(self, table: dict[str, Integers]) -> None:
        """The cycle from the packets, or the beginnings of cycles from the cycle."""
        interval = table.pop("interval_us", None)
        if interval is not None and len(interval):
            self.about = self.about.model_copy(update={"cycle_ns": int(interval[0]) * 1000})
        cycle_ns = self.about.cycle_ns
        if "interval_start" not in table and "tx_program" in table and cycle_ns:
            sent = table["tx_program"]
            table["interval_start"] = sent - (sent - self._base_ns) % cycle_ns

    def _found(self, frames: Frames) -> tuple[Frames, int | Integers]:
        """The measured ones among frames, and where their payload begins."""
        if frames.link not in _HEADER:
            if not self.damage or f"link type {frames.link}" not in self.damage.flaws[-1]:
                self.damage.note(f"{self.path}: byte {frames.offset}", f"unknown link type {frames.link}", len(frames))
            return frames.where(np.zeros(len(frames), dtype=np.bool_)), 0
        if frames.stride and self._is_all_mine(frames):
            return frames, _HEADER[frames.link]
        frames = frames.where(frames.lengths >= _HEADER[frames.link])
        if not len(frames):
            return frames, 0
        frames, protocol, at = _untagged(frames)
        if self._payload.ethertype is not None:
            return _chosen(frames, at, protocol == self._payload.ethertype)
        return self._datagrams(*_chosen(frames, at, np.isin(protocol, ip.ETHERTYPES)))

    def _is_all_mine(self, frames: Frames) -> bool:
        """Whether frames of one length are all measured ones without tags, which is soon told and the rule."""
        if self._payload.ethertype is None or frames.lengths[0] < _HEADER[frames.link]:
            return False
        expected = np.array(self._payload.ethertype, dtype=">u2").view("=u2")
        return bool((frames.field(_PROTOCOL_AT[frames.link], "=u2") == expected).all())

    def _datagrams(self, frames: Frames, at: int | Integers) -> tuple[Frames, int | Integers]:
        """UDP over IPv4 or IPv6 to the payload's port, not a later fragment."""
        frames = frames.spread()
        places = np.broadcast_to(np.asarray(at, dtype=np.int64), len(frames))
        long = frames.lengths >= places + 28
        frames, places = frames.where(long), places[long]
        carried, after = ip.carried(frames, places)
        udp = (carried == ip.UDP) & (frames.lengths >= after + 8)
        frames, after = frames.where(udp), after[udp]
        mine = frames.field(after + 2, ">u2") == self._payload.udp_port
        return frames.where(mine), after[mine] + 8


def _untagged(frames: Frames) -> tuple[Frames, Integers, int | Integers]:
    """The protocol of each frame behind its VLAN tags, and where what it carries begins."""
    at: int | Integers = _HEADER[frames.link]
    protocol = frames.field(_PROTOCOL_AT[frames.link], ">u2").astype(np.int64)
    for _ in range(_MOST_TAGS):
        tagged = np.isin(protocol, _VLAN) if len(protocol) and protocol.max() >= min(_VLAN) else None
        if tagged is None or not tagged.any():
            break
        tagged &= frames.lengths >= at + 4
        if isinstance(at, int) and tagged.all():
            protocol = frames.field(at + 2, ">u2").astype(np.int64)
            at += 4
            continue
        frames = frames.spread()
        places = np.full(len(frames), at, dtype=np.int64) if isinstance(at, int) else at
        inner = frames.where(tagged).field(places[tagged] + 2, ">u2").astype(np.int64) if tagged.any() else protocol[:0]
        protocol[tagged] = inner
        at = places + 4 * tagged
    return frames, protocol, at


def _chosen(
    frames: Frames, at: int | Integers, rows: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
) -> tuple[Frames, int | Integers]:
    if rows.all():
        return frames, at
    return frames.where(rows), at if isinstance(at, int) else at[rows]


def _values(frames: Frames, at: int | Integers, one: PayloadField) -> Integers:
    order = "<" if one.order == "little" else ">"
    if one.type in _KINDS:
        values = frames.field(at + one.at, order + _KINDS[one.type]).astype(np.int64)
        return values * one.ns if one.ns != 1 else values
    half, kind = (8, "i8") if one.type == "timespec64" else (4, "u4")
    seconds = frames.field(at + one.at, order + kind).astype(np.int64)
    return seconds * 1_000_000_000 + frames.field(at + one.at + half, order + kind).astype(np.int64)


def write(chunks: Iterable[Chunk], path: str | os.PathLike[str], *, interval_us: int, arrival: ArrivalColumn) -> Path:
    """Writes packets as netlatency's frames into a pcap file with nanoseconds, captured at their arrival.

    What netlatency's frames carry is kept: stream, seq, interval_start, tx_wakeup and tx_program; packets
    that did not arrive have no frame.

    Args:
        chunks: the packets.
        path: where to write.
        interval_us: the cycle, up to 65535.
        arrival: the column with the times of the capture.
    """
    return pcap.write(_netlatency_frames(chunks, interval_us, arrival), path)


def _netlatency_frames(chunks: Iterable[Chunk], interval_us: int, arrival: str) -> Iterator[tuple[int, bytes]]:
    kind = np.dtype(
        {
            "names": ["version", "stream", "seq", "interval", "stamps"],
            "formats": ["u1", "u1", "<u4", "<u2", "(5,2)<i8"],
            "offsets": [14, 15, 16, 20, 28],
            "itemsize": 108,
        }
    )
    for chunk in chunks:
        none = np.zeros(len(chunk), dtype=np.int64)
        rows = np.zeros(len(chunk), dtype=kind)
        raw = rows.view(np.uint8).reshape(len(chunk), kind.itemsize)
        raw[:, 12:15] = (8, 8, 1)
        for name in ("stream", "seq"):
            rows[name] = chunk.columns[name]
        rows["interval"] = interval_us
        for place, name in enumerate(("interval_start", "tx_wakeup", "tx_program")):
            rows["stamps"][:, place] = np.stack(np.divmod(chunk.columns.get(name, none), 1_000_000_000), axis=1)
        for time, row in zip(chunk.columns.get(arrival, none).tolist(), raw, strict=True):
            if time:
                yield time, row.tobytes()
