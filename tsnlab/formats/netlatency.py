"""netlatency's JSON lines: what nl-rx prints, and nl-calc, nl-report and nl-trace read.

One object per line; `rx-packet` is a packet and `rx-error` an error counter. All spellings of the names of
timestamps that netlatency has had are known, with or without `Z`; the year 1970 means "not taken"; names that
are not known are passed over. The times are written as they are: netlatency reads CLOCK_REALTIME or the NIC's
clock, and does not say which.

The older names `tx-last-kernel-…` belong to the packet before, which is where they are put.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from tsnlab import packets
from tsnlab.errors import ConfigError
from tsnlab.formats.chunk import Chunk, Damage, Integers
from tsnlab.formats.digits import Mask, time_of, time_text
from tsnlab.formats.handback import HandBack
from tsnlab.formats.json_template import Template

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.intp]
Table = dict[str, Integers]

# what nl-rx prints since 2020, in its order
NAMES = {
    "interval-start": "interval_start",
    "tx-wakeup": "tx_wakeup",
    "tx-program": "tx_program",
    "tx-kernel-netsched": "tx_kernel_netsched",
    "tx-kernel-hardware": "tx_kernel_hardware",
    "rx-hardware": "rx_hardware",
    "rx-program": "rx_program",
}
_OLDER = {
    "tx-kernel-driver": "tx_kernel_hardware",
    "rx-kernel-driver": "rx_kernel",
    "rx-kernerl-driver": "rx_kernel",
    "tx-last-kernel-netsched": "last tx_kernel_netsched",
    "tx-last-kernel-driver": "last tx_kernel_hardware",
    "tx-last-kernel-hardware": "last tx_kernel_hardware",
}
SPELLINGS = {**NAMES, **_OLDER, "rx-kernel": "rx_kernel"}
NUMBERS = {"stream-id": "stream", "sequence-number": "seq", "interval-usec": "interval_us"}
_COLUMNS = ("stream", "seq", "interval_us", *dict.fromkeys(SPELLINGS.values()))
_BLOCK = 4 << 20
_LONGEST = 1 << 20  # no line is longer; without a limit, a file without line ends would be read as a whole
_UNKNOWN = "unknown"
_MOST_USELESS = 8
_STREAMS = 1 << 8


class NetlatencySource:
    """A capture in netlatency's JSON lines, read chunk by chunk.

    Attributes:
        errors: what the rx-error lines say: how many there are, and the sum of dropped packets.
    """

    counted = False

    def __init__(self, path: str | os.PathLike[str], *, block: int = _BLOCK) -> None:
        self.path = Path(path)
        self.damage = Damage()
        self.errors = {"lines": 0, "dropped_packets": 0}
        self.about = packets.CaptureInfo(
            lab=_UNKNOWN, case=self.path.stem, cycle_ns=0, clock="as netlatency wrote it, not named"
        )
        self._block = block
        self._templates: list[Template] = []
        if not self.path.is_file():
            raise ConfigError(f"{self.path}: no such file; expected netlatency's JSON lines")

    def chunks(self) -> Iterator[Chunk]:
        """All packets, in the order of the file."""
        self.damage = Damage()
        self.errors = {"lines": 0, "dropped_packets": 0}
        first_line = 1
        back = HandBack()
        with self.path.open("rb") as file:
            for block in _blocks(file, self._block, self.damage):
                table, lines = self._parse(block, first_line)
                first_line += lines
                self._take_interval(table)
                done = back.push(table) if len(table["seq"]) else None
                if done is not None:
                    yield done
        rest = back.finish()
        if rest is not None:
            yield rest

    def _take_interval(self, table: Table) -> None:
        if not self.about.cycle_ns and len(table["seq"]) and table["interval_us"][0] > 0:
            self.about = self.about.model_copy(update={"cycle_ns": int(table["interval_us"][0]) * 1000})

    def _parse(self, block: Bytes, first_line: int) -> tuple[Table, int]:
        """The packets of whole lines, and how many lines there are."""
        starts, lengths = _lines(block)
        table = {name: np.zeros(len(starts), dtype=np.int64) for name in _COLUMNS}
        found = np.zeros(len(starts), dtype=np.bool_)
        for length in np.unique(lengths).tolist():
            if length:
                chosen = np.flatnonzero(lengths == length)
                rows = _rows(block, starts, chosen, length)
                self._parse_equal(rows, chosen, table, found, first_line)
        if not found.all():
            table = {name: values[found] for name, values in table.items()}
        return table, len(starts)

    def _parse_equal(
        self,
        rows: Bytes,
        places: Places,
        table: Table,
        found: Mask,
        first_line: int,
    ) -> None:
        """Lines of one length: by templates as long as these fit, and one by one what is left."""
        for template in [one for one in self._templates if one.width == rows.shape[1]]:
            if not len(rows):
                return
            left = self._apply(template, rows, places, table, found)
            rows, places = rows[left], places[left]
        useless = 0
        while len(rows):
            values = self._slow(rows[0].tobytes(), first_line + int(places[0]))
            if values is not None:
                found[places[0]] = True
                for name, value in values.items():
                    table[name][places[0]] = value
            # lines that are all different must not each be compared with all others
            worth = values is not None and useless < _MOST_USELESS
            made = Template.of(rows[0].tobytes(), NUMBERS, SPELLINGS) if worth else None
            rows, places = rows[1:], places[1:]
            if made is None or not len(rows):
                continue
            left = self._apply(made, rows, places, table, found)
            useless += bool(left.all())
            if not left.all():
                # worth keeping: it fitted more than the line it was made of
                self._templates = [made, *self._templates][:32]
            rows, places = rows[left], places[left]

    def _apply(
        self,
        template: Template,
        rows: Bytes,
        places: Places,
        table: Table,
        found: Mask,
    ) -> Mask:
        """Takes the rows that a template fits; which are left."""
        fits, values = template.read(rows)
        if "stream" in values:
            fits &= values["stream"] < _STREAMS
        everything = bool(fits.all())
        target = places if everything else places[fits]
        for name, column in values.items():
            table[name][target] = column if everything else column[fits]
        found[target] = True
        return ~fits

    def _slow(self, line: bytes, number: int) -> dict[str, int] | None:
        """One line with a real JSON parser; None if it is no packet."""
        if not line.strip():
            return None
        try:
            record = json.loads(line)
            kind, content = record["type"], record["object"]
            if kind == "rx-error":
                self.errors["lines"] += 1
                self.errors["dropped_packets"] += int(content.get("dropped-packets", 0))
                return None
            if kind != "rx-packet":
                return None
            return _packet(content)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
            self.damage.note(f"{self.path}: line {number}", f"not a line of netlatency: {error!r}"[:200])
            return None


def write(chunks: Iterable[Chunk], path: str | os.PathLike[str], *, interval_us: int, offset_us: int = 0) -> Path:
    """Writes packets as nl-rx prints them, so that nl-calc, nl-report and nl-trace take them.

    Only packets that arrived can be written: nl-rx prints what it receives. A time that was not taken is
    written as 1970, as nl-rx does.

    Args:
        chunks: the packets.
        path: where to write.
        interval_us: the cycle.
        offset_us: netlatency's own offset field.
    """
    target = Path(path)
    names = ",".join(f'"{name}"' for name in NAMES)
    with target.open("w", encoding="ascii") as file:
        for chunk in chunks:
            none = np.zeros(len(chunk), dtype=np.int64)
            columns = [chunk.columns.get(name, none).tolist() for name in ("stream", "seq", *NAMES.values())]
            for stream, seq, *times in zip(*columns, strict=True):
                values = ",".join(f'"{time_text(time)}"' for time in times)
                file.write(
                    f'{{"type":"rx-packet","object":{{"stream-id":{stream},"sequence-number":{seq},'
                    f'"interval-usec":{interval_us},"offset-usec":{offset_us},'
                    f'"timestamps":{{"names":[{names}],"values":[{values}]}}}}}}\n'
                )
    return target


def _packet(content: dict[str, Any]) -> dict[str, int]:
    values = {name: _whole(content[key]) for key, name in NUMBERS.items() if key in content or name == "seq"}
    if values.get("stream", 0) >= _STREAMS:
        raise ValueError(f"stream-id {values['stream']} does not fit the 8 bits it has in a frame")
    stamps = content["timestamps"]
    for name, text in zip(stamps["names"], stamps["values"], strict=False):
        if name in SPELLINGS:
            values[SPELLINGS[name]] = time_of(text)
    return values


def _whole(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value < 1 << 32:
        raise ValueError(f"expected a whole number of 32 bits, not {value!r}"[:80])
    return value


def _blocks(file: IO[bytes], size: int, damage: Damage) -> Iterator[Bytes]:
    """Pieces of about `size` bytes that end with a line; the last line may lack its end."""
    storage = bytearray(size + _LONGEST + 1)
    view, buffer = memoryview(storage), np.frombuffer(storage, dtype=np.uint8)
    held = 0
    while True:
        got = file.readinto(view[held : held + size])  # type: ignore[attr-defined]
        end = held + got
        if not got:
            if held:
                buffer[held] = ord("\n")
                yield buffer[: held + 1]
            return
        whole = _last_line_end(buffer, end)
        if not whole and end > _LONGEST:
            damage.note(f"byte {file.tell() - end}", f"{end} bytes without a line end; skipped them")
            held = 0
            continue
        if whole:
            yield buffer[:whole]
        buffer[: end - whole] = buffer[whole:end].copy()
        held = end - whole


def _last_line_end(buffer: Bytes, end: int) -> int:
    """Where the last whole line ends, 0 if there is none."""
    start = max(end - 4096, 0)
    found = buffer[start:end].tobytes().rfind(b"\n")
    return start + found + 1 if found >= 0 else buffer[:start].tobytes().rfind(b"\n") + 1


def _lines(block: Bytes) -> tuple[Integers, Integers]:
    """Where lines begin and how long they are, without their ends."""
    width = block[:_LONGEST].tobytes().find(b"\n") + 1
    count = len(block) // width if width else 0
    if count and count * width == len(block):
        rows = block.reshape(count, width)
        # all lines of one length, as in most of a file, and a line end nowhere else
        if bool((rows[:, -1] == ord("\n")).all()) and np.count_nonzero(block == ord("\n")) == count:
            return np.arange(count, dtype=np.int64) * width, np.full(count, width - 1, dtype=np.int64)
    ends = np.flatnonzero(block == ord("\n"))
    starts = np.concatenate([[0], ends[:-1] + 1])
    return starts, ends - starts


def _rows(block: Bytes, starts: Integers, chosen: Places, length: int) -> Bytes:
    """The lines of one length as rows; without a copy if all have it, or all from the first to the last."""
    first, last = int(chosen[0]), int(chosen[-1])
    if last - first + 1 == len(chosen):
        start = int(starts[first])
        return block[start : start + (length + 1) * len(chosen)].reshape(len(chosen), length + 1)[:, :length]
    begins, view = starts[chosen], block.data
    steps = np.diff(begins)
    if bool((steps == steps[0]).all()):
        # lines of streams that take turns
        return np.ndarray((len(chosen), length), np.uint8, view, offset=int(begins[0]), strides=(int(steps[0]), 1))
    copied = b"".join([view[begin : begin + length] for begin in begins.tolist()])
    return np.frombuffer(copied, dtype=np.uint8).reshape(len(chosen), length)
