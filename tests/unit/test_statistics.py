"""Statistics from a stream of chunks: the same numbers as from the whole table, for any chunks."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from tsnlab import packets
from tsnlab.analysis.findings import findings
from tsnlab.analysis.indicators import indicators
from tsnlab.analysis.sequences import CountingOn, Sequences
from tsnlab.analysis.statistics import MOST_STREAMS, Statistics, gather
from tsnlab.errors import ConfigError
from tsnlab.formats import parquet
from tsnlab.formats.chunk import Chunk, from_frame, joined
from tsnlab.formats.parquet import ParquetSource, Writer

ABOUT = packets.CaptureInfo(lab="virtual", case="case2", cycle_ns=2_000_000, window=(1_200_000, 1_300_000))
BASE = 1_588_076_872_000_000_001
same_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

arrivals = st.lists(
    st.tuples(st.integers(0, 50), st.integers(0, 9_000), st.one_of(st.none(), st.integers(-500, 4_000_000))),
    max_size=60,
)


def rows(listed: Sequence[tuple[int, int, int | None]]) -> Chunk:
    """A chunk of (seq, application latency, scheduled time) in nanoseconds."""
    seq = np.array([one[0] for one in listed], dtype=np.int64)
    start = BASE + seq * ABOUT.cycle_ns
    arrival = [0 if late is None else int(begin) + late for begin, (_, _, late) in zip(start, listed, strict=True)]
    return Chunk(
        {
            "stream": np.full(len(listed), 3, dtype=np.int64),
            "seq": seq,
            "interval_start": start,
            "tx_program": start + np.array([one[1] for one in listed], dtype=np.int64),
            "rx_hardware": np.array(arrival, dtype=np.int64),
        }
    )


def cut(chunk: Chunk, where: list[int]) -> list[Chunk]:
    ends = [0, *sorted(min(one, len(chunk)) for one in where), len(chunk)]
    return [chunk.where(slice(start, end)) for start, end in itertools.pairwise(ends)]


def everything(statistics: Statistics) -> dict[str, Any]:
    found: dict[str, Any] = statistics.indicators().to_json()
    for number, one in statistics.streams.items():
        course = one.scheduled.slices.course()
        found[f"{number}"] = [
            course.times.tolist(),
            course.means.tolist(),
            one.spectrum.density(ABOUT.cycle_ns)[1].tolist(),
            one.sample().tolist(),
            one.smoothed_variation_ns(),
            [one.value for one in one.scheduled.largest.list()],
            one.sequences.bursts(),
        ]
    return found


@given(arrivals, st.lists(st.integers(0, 60), max_size=5))
def test_chunks_do_not_matter(listed: list[tuple[int, int, int | None]], where: list[int]) -> None:
    whole, parts = Statistics(ABOUT), Statistics(ABOUT)
    whole.add(rows(listed))
    for chunk in cut(rows(listed), where):
        parts.add(chunk)
    assert everything(parts) == everything(whole)


@given(arrivals)
def test_indicators_and_counts_are_those_of_the_table(listed: list[tuple[int, int, int | None]]) -> None:
    chunk = rows([one for one in listed if one[2] is not None])
    statistics = Statistics(ABOUT)
    statistics.add(chunk)
    listener = [
        (3, seq, start, 0, send, arrived, 0, 0)
        for seq, start, send, arrived in zip(
            *(chunk.columns[name].tolist() for name in ("seq", "interval_start", "tx_program", "rx_hardware")),
            strict=True,
        )
    ]
    frame = packets.from_records([], listener, ABOUT, stream=3)
    ours, theirs = statistics.indicators().to_json(), indicators(frame).to_json()
    # the table knows only the packets that arrived
    theirs["packets"] |= {name: ours["packets"][name] for name in ("sent", "lost")}
    assert ours["packets"] == theirs["packets"]
    for name, summary in theirs["indicators"].items():
        assert ours["indicators"][name] == pytest.approx(summary, abs=2e-6), name


def test_a_day_of_packets_has_the_numbers_of_numpy() -> None:
    rng = np.random.default_rng(5)
    seq = np.arange(300_000)
    start = BASE + seq * ABOUT.cycle_ns
    scheduled = rng.normal(1_253_260, 25, len(seq)).astype(np.int64)
    columns = {"interval_start": start, "tx_program": start + 3119, "rx_hardware": start + scheduled}
    statistics = Statistics(ABOUT)
    for part in np.array_split(seq, 5):
        keys = {"stream": np.zeros(len(part), dtype=np.int64), "seq": part}
        statistics.add(Chunk({**keys, **{name: values[part] for name, values in columns.items()}}))
    summary = statistics.indicators().scheduled_times_us
    assert summary.p99_99 == np.partition(scheduled, 299_969)[299_969] / 1000
    assert summary.std == pytest.approx(scheduled.std() / 1000, abs=1e-6)
    assert summary.seq_of_max == int(scheduled.argmax())
    assert statistics.streams[0].cycle_ns() == ABOUT.cycle_ns


def test_a_hardware_timestamp_missing_on_the_first_packet_does_not_cost_all_others(tmp_path: Path) -> None:
    columns = dict(rows([(seq, 5, 1_250_000) for seq in range(9)]).columns)
    columns["rx_program"] = columns["rx_hardware"] + 30_000
    columns["rx_hardware"][0] = 0
    with Writer(tmp_path / "packets.parquet") as writer:
        writer.append(Chunk(columns))
        path = writer.close(ABOUT)
    statistics = gather(ParquetSource(path, rows=1))
    assert statistics.arrival == "rx_hardware"
    assert statistics.indicators().scheduled_times_us.max == 1250


def test_two_streams_are_counted_apart_and_together() -> None:
    one = rows([(seq, 5, 1_250_000 + seq) for seq in range(4)])
    other = Chunk({**one.columns, "stream": np.full(4, 8, dtype=np.int64), "seq": one.columns["seq"] * 2})
    statistics = Statistics(ABOUT)
    order = np.array([0, 4, 1, 5, 2, 6, 3, 7])
    statistics.add(joined([one, other]).where(order))
    assert (statistics.streams[3].sequences.lost, statistics.streams[8].sequences.lost) == (0, 3)
    assert statistics.indicators(8).scheduled_times_us.count == 4
    assert statistics.indicators().scheduled_times_us.count == 8


@same_folder
@given(arrivals, st.lists(st.integers(0, 60), max_size=3), st.integers(1, 40))
def test_writing_in_parts_and_reading_in_parts_is_the_identity(
    tmp_path: Path, listed: list[tuple[int, int, int | None]], where: list[int], size: int
) -> None:
    whole = rows(listed)
    with Writer(tmp_path / "packets.parquet") as writer:
        for chunk in cut(whole, where):
            writer.append(chunk)
        path = writer.close(ABOUT)
    assert_frame_equal(parquet.read(path), whole.to_frame(ABOUT), check_exact=True)
    source = ParquetSource(path, rows=size)
    again = joined(list(source.chunks()))
    assert source.about == ABOUT
    for name, values in again.columns.items():
        assert values.tolist() == (whole.columns[name].tolist() if name in whole.columns else [0] * len(whole))


def test_a_table_and_its_chunks_are_the_same(tmp_path: Path) -> None:
    frame = rows([(0, 1, 2), (1, 3, None)]).to_frame(ABOUT)
    path = parquet.write(frame, tmp_path / "packets.parquet")
    assert_frame_equal(joined(list(ParquetSource(path, columns=packets.COLUMNS).chunks())).to_frame(ABOUT), frame)
    assert_frame_equal(from_frame(frame).to_frame(ABOUT), frame)


def test_a_writer_that_is_left_early_leaves_no_file(tmp_path: Path) -> None:
    with Writer(tmp_path / "packets.parquet") as writer:
        writer.append(rows([(0, 1, 2)]))
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_parquet_file_gives_what_can_be_had_or_is_refused(tmp_path: Path) -> None:
    path = parquet.write(rows([(seq, 5, 1_250_000) for seq in range(5000)]).to_frame(ABOUT), tmp_path / "x.parquet")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ConfigError, match="damaged"):
        ParquetSource(path)
    path.write_bytes(whole[:40] + bytes(200) + whole[240:])
    source = ParquetSource(path)
    assert sum(map(len, source.chunks())) < 5000
    assert source.damage.dropped


TURN = 1 << 32


@given(
    st.lists(st.integers(0, 60), min_size=1, max_size=60),
    st.integers(0, 60),
    st.lists(st.integers(0, 60), max_size=4),
)
def test_sequence_numbers_that_begin_anew_change_nothing(arrived: list[int], before: int, where: list[int]) -> None:
    plain, wrapped = Sequences(), Sequences()
    count_on = CountingOn()
    raw = np.array([(TURN - before + one) % TURN for one in arrived], dtype=np.int64)
    plain.add(np.array(arrived, dtype=np.int64))
    ends = [0, *sorted(min(one, len(raw)) for one in where), len(raw)]
    for start, end in itertools.pairwise(ends):
        wrapped.add(count_on(raw[start:end]))
    for name in ("received", "duplicated", "reordered", "lost"):
        assert getattr(wrapped, name) == getattr(plain, name), name
    assert wrapped.bursts().lengths == plain.bursts().lengths


def test_intervals_are_wider_where_packets_depend_on_each_other() -> None:
    rng = np.random.default_rng(3)
    seq = np.arange(60_000)
    start = BASE + seq * ABOUT.cycle_ns
    noise = rng.normal(0, 30, len(seq))
    found = {}
    for name, slow in (("alone", 0 * noise), ("drifting", 60 * np.sin(seq / 9_000))):
        late = 1_253_000 + np.rint(noise + slow).astype(np.int64)
        statistics = Statistics(ABOUT)
        columns = {"stream": np.zeros_like(seq), "seq": seq, "interval_start": start, "tx_program": start + 3}
        statistics.add(Chunk({**columns, "rx_hardware": start + late}))
        found[name] = findings(statistics.streams[0], ABOUT)["scheduled"]
    assert found["alone"]["dependence"]["effective"] == len(seq)
    assert found["drifting"]["dependence"]["effective"] < 1000
    widths = {name: one["percentiles"]["p50"]["high"] - one["percentiles"]["p50"]["low"] for name, one in found.items()}
    assert widths["drifting"] > 5 * widths["alone"]


def test_the_mean_of_dependent_packets_is_in_its_interval_as_often_as_promised() -> None:
    rng = np.random.default_rng(8)
    seq = np.arange(20_000)
    start = BASE + seq * ABOUT.cycle_ns
    hits = 0
    for _ in range(60):
        # a slow random walk back to 0: packets of some 200 cycles are alike
        pushes, slow, level = rng.normal(0, 10, len(seq)), np.empty(len(seq)), 0.0
        for place, push in enumerate(pushes.tolist()):
            level = slow[place] = 0.99 * level + push
        statistics = Statistics(ABOUT)
        columns = {"stream": np.zeros_like(seq), "seq": seq, "interval_start": start, "tx_program": start + 3}
        statistics.add(Chunk({**columns, "rx_hardware": start + 1_000_000 + np.rint(slow).astype(np.int64)}))
        low, high = findings(statistics.streams[0], ABOUT)["scheduled"]["mean_interval"]
        hits += low <= 1_000_000 <= high
    assert hits >= 50


def test_numbers_can_be_had_while_packets_still_arrive() -> None:
    listed = [(seq, 5, 1_250_000 + seq) for seq in range(9)]
    growing = Statistics(ABOUT)
    for count, chunk in enumerate(cut(rows(listed), list(range(1, 9))), start=1):
        growing.add(chunk)
        whole = Statistics(ABOUT)
        whole.add(rows(listed[:count]))
        assert everything(growing) == everything(whole)


def test_a_damaged_file_with_any_number_of_streams_takes_no_more_memory() -> None:
    count = 20_000
    columns = dict(rows([(seq, 5, 1_250_000) for seq in range(count)]).columns)
    statistics = Statistics(ABOUT)
    statistics.add(Chunk({**columns, "stream": np.arange(count)}))
    assert len(statistics.streams) == MOST_STREAMS
    assert statistics.ignored == count - MOST_STREAMS


def test_a_single_wrong_bit_in_the_data_is_told(tmp_path: Path) -> None:
    path = parquet.write(
        rows([(seq, 5, 1_250_000 + seq) for seq in range(500)]).to_frame(ABOUT), tmp_path / "x.parquet"
    )
    whole = bytearray(path.read_bytes())
    column = pq.read_metadata(path).row_group(0).column(packets.COLUMNS.index("rx_hardware"))
    whole[column.data_page_offset + column.total_compressed_size - 9] ^= 1
    path.write_bytes(whole)
    source = ParquetSource(path)
    assert sum(map(len, source.chunks())) == 0
    assert source.damage.dropped == 500
    with pytest.raises(ConfigError, match="damaged"):
        parquet.read(path)
