"""Times that a packet carries for the packet before it, given back to that one."""

from __future__ import annotations

import numpy as np

from tsnlab import packets
from tsnlab.formats.chunk import Chunk, Integers

MARK = "last "  # before the name of a column that describes the packet before
_MOST_WAITING = 100_000  # a stream that ended early must not make all others wait

Table = dict[str, Integers]


class HandBack:
    """Takes columns as they were read, gives chunks: the last packet of each stream waits for the next one.

    A column "last tx_kernel_netsched" of a packet is the `tx_kernel_netsched` of the one before in its stream.
    """

    def __init__(self) -> None:
        self._held: Table | None = None

    def push(self, table: Table) -> Chunk | None:
        """Takes packets, in the order of the file, always with the same columns; gives those that are complete."""
        if self._held is None and not any(table[name].any() for name in table if name.startswith(MARK)):
            return as_chunk(table)
        if self._held is not None:
            table = {name: np.concatenate([self._held[name], values]) for name, values in table.items()}
        done, self._held = _handed_back(table)
        return as_chunk(done) if len(done["seq"]) else None

    def finish(self) -> Chunk | None:
        """The packets that were still waiting."""
        held, self._held = self._held, None
        return None if held is None else as_chunk(held)


def as_chunk(table: Table) -> Chunk:
    """The columns of `packets` that hold anything."""
    columns = {name: values for name, values in table.items() if name in packets.COLUMNS}
    return Chunk({name: values for name, values in columns.items() if name in packets.KEY_COLUMNS or values.any()})


def _handed_back(table: Table) -> tuple[Table, Table | None]:
    # sorted by stream, the next packet of a stream is the next row
    order = np.argsort(table["stream"], kind="stable")
    stream, seq = table["stream"][order], table["seq"][order]
    same = stream[1:] == stream[:-1]
    followed = np.zeros(len(order), dtype=np.bool_)
    followed[order[:-1][same]] = True
    for name in [one for one in table if one.startswith(MARK)]:
        moved = table[name][order[1:]]
        given = same & (seq[1:] == seq[:-1] + 1) & (moved != 0)
        table[name.removeprefix(MARK)][order[:-1][given]] = moved[given]
    # in the order of the file: only what no waiting packet comes before
    end = int(np.argmin(followed)) if not followed.all() else len(followed)
    if len(followed) - end > _MOST_WAITING:
        end = len(followed)
    done = {name: values[:end] for name, values in table.items()}
    return done, {name: values[end:] for name, values in table.items()} if end < len(followed) else None
