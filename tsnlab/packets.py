"""The `packets` table: one row for each packet that was sent, and what is known about the capture.

Columns, in order; all are pandas' nullable `Int64`, so that no nanosecond ever passes through float64:

    stream seq                   which packet
    interval_start               when its cycle began
    tx_wakeup tx_program         when the talker woke up, and when it called send
    tx_kernel_netsched           when the packet left the talker's queueing discipline
    tx_kernel_hardware           when it left the talker's NIC
    rx_hardware rx_kernel        when the listener's NIC, and its kernel, stamped it
    rx_program                   when the listening program had it

All times are int64 nanoseconds of TAI, null where they were not taken. A packet that was sent and did not
arrive has a row whose rx columns are null. If a packet arrives more than once, the first arrival is the row
and the others are counted. The names are netlatency's (its JSON lines, `tx-program` and so on).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, JsonValue, NonNegativeInt, ValidationError

from tsnlab.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

ArrivalColumn = Literal["rx_hardware", "rx_kernel", "rx_program"]
Records = Sequence[Sequence[int | None]] | npt.NDArray[np.int64]

SCHEMA_VERSION = 1
ATTRS_KEY = "tsnlab"
KEY_COLUMNS = ("stream", "seq")
TALKER_COLUMNS = ("seq", "interval_start", "tx_wakeup", "tx_program")
STAMP_COLUMNS = ("seq", "tx_kernel_netsched", "tx_kernel_hardware")
ARRIVAL_COLUMNS: tuple[ArrivalColumn, ...] = ("rx_hardware", "rx_kernel", "rx_program")
LISTENER_COLUMNS = (*KEY_COLUMNS, *TALKER_COLUMNS[1:], *ARRIVAL_COLUMNS)
COLUMNS = (*KEY_COLUMNS, *TALKER_COLUMNS[1:], "tx_kernel_netsched", "tx_kernel_hardware", *ARRIVAL_COLUMNS)

_SEQ_BITS = 32  # the sequence number is an unsigned 32-bit field of the frame


class CaptureInfo(BaseModel):
    """What is known about a capture as a whole; travels in `frame.attrs["tsnlab"]` and in the Parquet file.

    `run`, `lab` and `case` name where the packets come from. `cycle_ns` is the stream's cycle, `window` the
    transmit window (start_ns, end_ns) in it, if the case has one. `clock` says in words what all times were
    read from. `arrival` is the column that the indicators use. `late` counts the packets that etf dropped,
    by reason, those of the warm-up among them; `warm_up` packets before the others were discarded. `not_stamped`
    packets were received without a timestamp in the arrival column. `complete` is False for a measurement that was
    cut short. `badges` belong on every figure and report. `sync` has `ok` (whether the clocks were synchronised
    throughout), `why` not, and the `worst_offset_ns`. `load` describes the best-effort traffic: `offered_bps`,
    `received_bps`, `frames_sent`, `frames_received`. `timestamps` tells who stamped the packets when they were `sent`
    and `received` (hardware, kernel, none), and what kept it from being the hardware.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    lab: str
    case: str
    cycle_ns: NonNegativeInt
    run: str = ""
    warm_up: NonNegativeInt = 0
    window: tuple[int, int] | None = None
    clock: str = ""
    arrival: ArrivalColumn | None = None
    sent: NonNegativeInt = 0
    received: NonNegativeInt = 0
    lost: NonNegativeInt = 0
    late: dict[str, NonNegativeInt] = {}
    duplicated: NonNegativeInt = 0
    reordered: NonNegativeInt = 0
    not_stamped: NonNegativeInt = 0
    complete: bool = True
    badges: tuple[str, ...] = ()
    sync: dict[str, JsonValue] = {}
    load: dict[str, JsonValue] = {}
    timestamps: dict[str, str] = {}

    @property
    def late_total(self) -> int:
        """Packets that etf dropped because of their transmit time, for whatever reason."""
        return sum(self.late.values())

    @property
    def arrival_kind(self) -> str:
        """What took the arrival timestamps: "hardware", "kernel" or "program"; "none" if nothing arrived."""
        return self.arrival.removeprefix("rx_") if self.arrival else "none"

    @property
    def arrival_text(self) -> str:
        """The arrival column and its kind in words, for captions."""
        return f"{self.arrival} ({self.arrival_kind} timestamp)" if self.arrival else "none"


def empty(about: CaptureInfo | None = None) -> pd.DataFrame:
    """A table of no packets, described by `about` if given."""
    frame = _frame(np.zeros((0, len(COLUMNS)), dtype=np.int64))
    return attach(frame, about) if about else frame


def from_records(
    talker: Records, listener: Records, about: CaptureInfo, *, stream: int, stamps: Records = ()
) -> pd.DataFrame:
    """Merges what the talker sent with what the listener received into a table sorted by stream and seq.

    Args:
        talker: rows of `TALKER_COLUMNS` for one stream, in any order; times of 0 or None were not taken.
        listener: rows of `LISTENER_COLUMNS` in order of arrival, of any streams; times of 0 or None likewise.
            The transmit times that a packet carried stand in where the talker's own record is missing.
        about: the capture; its counts (sent, received, lost, duplicated, reordered, not_stamped) and its
            arrival column are replaced by what the records show.
        stream: the talker's stream.
        stamps: rows of `STAMP_COLUMNS` for that stream, in any order, each of a packet that the talker has.

    Raises:
        ValueError: a record has the wrong number of fields, a time in float, or a sequence number that does
            not fit 32 bits.
    """
    sent = integers(talker, TALKER_COLUMNS, "talker")
    arrived = integers(listener, LISTENER_COLUMNS, "listener")
    arrived_keys = _keys(arrived[:, 0], arrived[:, 1])
    # np.unique gives the first arrival of each packet; sorted again, these are in order of arrival
    first = np.sort(np.unique(arrived_keys, return_index=True)[1])
    sent_keys = _keys(np.full(len(sent), stream, dtype=np.int64), sent[:, 0])
    merged = _merged(sent_keys, sent, arrived_keys[first], arrived[first])
    frame = _frame(_stamped(merged, integers(stamps, STAMP_COLUMNS, "stamp"), stream))
    column = _arrival_column(frame)
    counts = {
        "arrival": column,
        "sent": len(frame),
        "received": len(first),
        "lost": len(frame) - len(first),
        "duplicated": len(arrived) - len(first),
        "reordered": _reordered(arrived_keys[first], arrived[first, 0]),
        "not_stamped": len(first) - int(frame[column].count()) if column else len(first),
    }
    return attach(frame, about.model_copy(update=counts))


def attach(frame: pd.DataFrame, about: CaptureInfo) -> pd.DataFrame:
    """The same table, described by `about` from now on."""
    frame.attrs[ATTRS_KEY] = about.model_dump(mode="json")
    return frame


def info(frame: pd.DataFrame) -> CaptureInfo:
    """What is known about the capture that a table, or a part of it, comes from.

    Raises:
        ConfigError: the table carries no description, or one that is not valid.
    """
    described = frame.attrs.get(ATTRS_KEY)
    if described is None:
        raise ConfigError(
            f'packets: this table has no description in frame.attrs["{ATTRS_KEY}"]; pandas drops it when '
            "tables are joined: pass it on with packets.attach(frame, packets.info(original))"
        )
    try:
        return CaptureInfo.model_validate(described)
    except ValidationError as error:
        raise ConfigError(f"packets: the table's description is not valid: {error}") from error


def arrival(frame: pd.DataFrame) -> pd.Series[int]:
    """The time of arrival of each packet, Int64 nanoseconds of TAI, null where there is none.

    The column named in the table's description; without one, the first of rx_hardware, rx_kernel and
    rx_program that has any value. Never a mixture: the columns are read from different clocks, at different
    places.
    """
    column = info(frame).arrival if ATTRS_KEY in frame.attrs else _arrival_column(frame)
    return frame[column or ARRIVAL_COLUMNS[0]]


def taken(series: pd.Series[int]) -> npt.NDArray[np.int64]:
    """The values of an Int64 series that are not null, in order: shape (n,), int64."""
    return np.asarray(series.dropna().to_numpy(np.int64), dtype=np.int64)


def checked(frame: pd.DataFrame) -> pd.DataFrame:
    """The same table, after a check that it keeps the contract of this module.

    Raises:
        ConfigError: a column is missing, in another place or of another type; names it.
    """
    if tuple(frame.columns) != COLUMNS:
        raise ConfigError(f"packets: columns are {list(frame.columns)}, expected {list(COLUMNS)}")
    wrong = {name: str(dtype) for name, dtype in frame.dtypes.items() if str(dtype) != "Int64"}
    if wrong:
        raise ConfigError(f"packets: every column is Int64 (float64 loses nanoseconds), but these are not: {wrong}")
    return frame


def integers(records: Records, columns: tuple[str, ...], who: str) -> npt.NDArray[np.int64]:
    """Records as an int64 array of shape (packets, columns), None as 0.

    Raises:
        ValueError: a record has the wrong number of fields, or a time in float; `who` names them.
    """
    raw = np.asarray(records)
    if raw.size == 0:
        return np.zeros((0, len(columns)), dtype=np.int64)
    if raw.ndim != 2 or raw.shape[1] != len(columns):
        raise ValueError(f"{who} records: expected rows of {len(columns)} fields ({', '.join(columns)})")
    if raw.dtype.kind == "O":
        raw = np.where(raw == None, 0, raw)  # noqa: E711 - element by element
    elif raw.dtype.kind not in "iu":
        raise ValueError(f"{who} records: times are integer nanoseconds, not {raw.dtype}")
    elif raw.dtype == np.uint64:
        raise ValueError(f"{who} records: a time of {raw.max()} nanoseconds does not fit 63 bits")
    return raw.astype(np.int64, copy=False)


def _keys(stream: npt.NDArray[np.int64], seq: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Stream and sequence number as one integer that sorts like the pair."""
    if len(seq) and (seq.min() < 0 or seq.max() >> _SEQ_BITS):
        raise ValueError(f"sequence numbers from {seq.min()} to {seq.max()} do not fit {_SEQ_BITS} bits")
    return (stream << _SEQ_BITS) | seq


def _merged(
    sent_keys: npt.NDArray[np.int64],
    sent: npt.NDArray[np.int64],
    arrived_keys: npt.NDArray[np.int64],
    arrived: npt.NDArray[np.int64],
) -> npt.NDArray[np.int64]:
    """The outer join of both records in the order of `COLUMNS`, 0 where a time was not taken."""
    keys, row = np.unique(np.concatenate([sent_keys, arrived_keys]), return_inverse=True)
    table = np.zeros((len(keys), len(COLUMNS)), dtype=np.int64)
    table[:, 0], table[:, 1] = keys >> _SEQ_BITS, keys & ((1 << _SEQ_BITS) - 1)
    of_arrived = np.ix_(row[len(sent) :], _places(LISTENER_COLUMNS[2:]))
    table[of_arrived] = arrived[:, 2:]
    of_sent = np.ix_(row[: len(sent)], _places(TALKER_COLUMNS[1:]))
    table[of_sent] = np.where(sent[:, 1:] != 0, sent[:, 1:], table[of_sent])
    return table


def _stamped(table: npt.NDArray[np.int64], stamps: npt.NDArray[np.int64], stream: int) -> npt.NDArray[np.int64]:
    """The table with the times at which packets left; those of packets that it does not have are left out."""
    keys = _keys(table[:, 0], table[:, 1])
    wanted = _keys(np.full(len(stamps), stream, dtype=np.int64), stamps[:, 0])
    known = np.isin(wanted, keys)
    # a packet may have two rows, one from the kernel and later one from the interface
    for column, place in enumerate(_places(STAMP_COLUMNS[1:]), 1):
        there = known & (stamps[:, column] != 0)
        table[np.searchsorted(keys, wanted[there]), place] = stamps[there, column]
    return table


def _places(columns: tuple[str, ...]) -> npt.NDArray[np.intp]:
    return np.array([COLUMNS.index(name) for name in columns])


def _frame(table: npt.NDArray[np.int64]) -> pd.DataFrame:
    """The table as nullable integers: a time of 0 is null, a stream or sequence number of 0 is not."""
    import pandas as pd

    columns = {}
    for index, name in enumerate(COLUMNS):
        values = table[:, index].copy()
        missing = values == 0 if name not in KEY_COLUMNS else np.zeros(len(values), dtype=np.bool_)
        columns[name] = pd.arrays.IntegerArray(values, missing)
    return pd.DataFrame(columns)


def _arrival_column(frame: pd.DataFrame) -> ArrivalColumn | None:
    return next((name for name in ARRIVAL_COLUMNS if frame[name].notna().any()), None)


def _reordered(keys: npt.NDArray[np.int64], stream: npt.NDArray[np.int64]) -> int:
    """Packets that arrived after one of their stream with a higher sequence number (RFC 4737, section 3)."""
    # sorted by stream, a key is below the highest so far only if that one belongs to the same stream
    by_stream = keys[np.argsort(stream, kind="stable")]
    return int((by_stream < np.maximum.accumulate(by_stream)).sum())
