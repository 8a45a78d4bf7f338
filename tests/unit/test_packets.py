"""The packets table: what a row is, what is counted, and that nanoseconds survive."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsnlab import packets
from tsnlab.errors import ConfigError

unhurried = settings(deadline=None)  # the machine may be busy

BASE = 1_588_076_872_000_000_001  # needs 61 bits: float64 would be off by up to 128 ns
ABOUT = packets.CaptureInfo(lab="virtual", case="case2", cycle_ns=2_000_000, window=(1_200_000, 1_300_000))


def sent(seq: int) -> tuple[int, int, int, int]:
    start = BASE + seq * ABOUT.cycle_ns
    return (seq, start, start + 377, start + 3_119)


def received(seq: int, hardware: int = 0, kernel: int = 1_253_188) -> tuple[int, ...]:
    _, start, *transmit = sent(seq)
    stamps = (start + after if after else 0 for after in (hardware, kernel, 1_300_000))
    return (7, seq, start, *transmit, *stamps)


def test_an_empty_table_keeps_the_contract() -> None:
    frame = packets.checked(packets.empty(ABOUT))
    assert len(frame) == 0
    assert packets.info(frame) == ABOUT


def test_columns_are_nullable_integers_in_the_order_of_the_contract() -> None:
    frame = packets.from_records([sent(0)], [received(0)], ABOUT, stream=7)
    assert tuple(frame.columns) == (
        "stream",
        "seq",
        "interval_start",
        "tx_wakeup",
        "tx_program",
        "tx_kernel_netsched",
        "tx_kernel_hardware",
        "rx_hardware",
        "rx_kernel",
        "rx_program",
    )
    assert set(map(str, frame.dtypes)) == {"Int64"}


def test_a_packet_that_was_not_received_has_a_row_without_arrival() -> None:
    frame = packets.from_records([sent(0), sent(1)], [received(0)], ABOUT, stream=7)
    assert frame.loc[1, "tx_program"] == BASE + 2_003_119
    assert frame.loc[1, ["rx_hardware", "rx_kernel", "rx_program"]].isna().all()
    about = packets.info(frame)
    assert (about.sent, about.received, about.lost) == (2, 1, 1)


def test_zero_and_none_mean_that_a_time_was_not_taken_but_are_valid_numbers_of_stream_and_packet() -> None:
    frame = packets.from_records([(0, BASE, None, 0)], [], ABOUT, stream=0)
    assert frame.loc[0, ["stream", "seq"]].tolist() == [0, 0]
    assert frame.loc[0, ["tx_wakeup", "tx_program"]].isna().all()


def test_of_a_duplicate_the_first_arrival_is_the_row() -> None:
    late = received(0, kernel=1_900_000)
    frame = packets.from_records([sent(0)], [received(0), late, late], ABOUT, stream=7)
    assert frame["rx_kernel"].tolist() == [BASE + 1_253_188]
    about = packets.info(frame)
    assert (about.received, about.duplicated, about.reordered) == (1, 2, 0)


def test_a_packet_is_reordered_if_a_later_one_of_its_own_stream_came_before_it() -> None:
    other_stream = (8, *received(9)[1:])
    arrivals = [received(0), received(2), received(1), other_stream, received(3)]
    frame = packets.from_records([], arrivals, ABOUT, stream=7)
    assert packets.info(frame).reordered == 1


def test_streams_that_interleave_are_not_reordered() -> None:
    arrivals = [(stream, *received(seq)[1:]) for seq in range(500) for stream in (9, 7, 8)]
    frame = packets.from_records([], arrivals, ABOUT, stream=7)
    assert packets.info(frame).reordered == 0


def test_rows_are_sorted_by_stream_and_sequence_number() -> None:
    frame = packets.from_records([sent(2), sent(0)], [received(1), received(0)], ABOUT, stream=7)
    assert frame["seq"].tolist() == [0, 1, 2]


def test_a_packet_carries_its_transmit_times_to_where_the_talkers_record_is_missing() -> None:
    frame = packets.from_records([], [received(0)], ABOUT, stream=7)
    assert frame.loc[0, "tx_program"] == BASE + 3_119
    assert packets.info(frame).sent == 1
    half = packets.from_records([(0, BASE, 0, BASE + 9)], [received(0)], ABOUT, stream=7)
    assert half.loc[0, ["tx_wakeup", "tx_program"]].tolist() == [BASE + 377, BASE + 9]


def test_hardware_timestamps_come_first_and_are_never_mixed_with_the_kernels() -> None:
    stamped, bare = received(0, hardware=1_253_000), received(1)
    frame = packets.from_records([], [stamped, bare], ABOUT, stream=7)
    about = packets.info(frame)
    assert (about.arrival, about.arrival_kind, about.not_stamped) == ("rx_hardware", "hardware", 1)
    assert packets.arrival(frame).tolist() == [BASE + 1_253_000, pd.NA]


def test_kernel_timestamps_serve_where_there_is_no_hardware() -> None:
    frame = packets.from_records([], [received(0)], ABOUT, stream=7)
    assert packets.info(frame).arrival_text == "rx_kernel (kernel timestamp)"


def test_the_arrival_column_of_a_part_is_that_of_the_whole() -> None:
    frame = packets.from_records([], [received(0, hardware=1), received(1)], ABOUT, stream=7)
    assert packets.arrival(frame[frame["seq"] == 1]).isna().all()


def test_a_table_without_description_says_how_to_get_one() -> None:
    frame = packets.empty()
    with pytest.raises(ConfigError, match=r"packets\.attach"):
        packets.info(frame)


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        ([(1, 2, 3)], "rows of 4 fields"),
        ([(1, 1.5e18, 2, 3)], "integer nanoseconds"),
        ([(-1, 1, 2, 3)], "32 bits"),
        ([(1 << 32, 1, 2, 3)], "32 bits"),
    ],
)
def test_records_that_cannot_be_right_are_refused(records: list[tuple[int, ...]], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        packets.from_records(records, [], ABOUT, stream=7)


def test_a_table_with_floats_is_refused() -> None:
    frame = packets.from_records([sent(0)], [received(0)], ABOUT, stream=7)
    with pytest.raises(ConfigError, match="rx_kernel"):
        packets.checked(frame.astype({"rx_kernel": "float64"}))


sequence_numbers = st.lists(st.integers(0, (1 << 32) - 1), max_size=30)


@unhurried
@given(sent_seqs=sequence_numbers.map(set), arrivals=sequence_numbers)
def test_every_packet_is_accounted_for(sent_seqs: set[int], arrivals: list[int]) -> None:
    talker = [(seq, BASE + seq, BASE + seq, BASE + seq) for seq in sent_seqs]
    listener = [(3, seq, BASE + seq, 0, 0, 0, BASE + seq + 1, 0) for seq in arrivals]
    frame = packets.from_records(talker, listener, ABOUT, stream=3)
    about = packets.info(frame)
    assert about.sent == len(sent_seqs | set(arrivals)) == about.received + about.lost
    assert about.received == len(set(arrivals)) == len(arrivals) - about.duplicated
    assert about.lost == len(sent_seqs - set(arrivals)) == int(frame["rx_kernel"].isna().sum())
    highest, reordered = -1, 0
    for seq in dict.fromkeys(arrivals):
        reordered += seq < highest
        highest = max(highest, seq)
    assert about.reordered == reordered


@unhurried
@given(stamps=st.lists(st.integers(1, (1 << 63) - 1), min_size=8, max_size=8))
def test_nanoseconds_survive_to_the_last_bit(stamps: list[int]) -> None:
    frame = packets.from_records([], [(0, 5, *stamps[:6])], ABOUT, stream=0)
    kept = ["interval_start", "tx_wakeup", "tx_program", "rx_hardware", "rx_kernel", "rx_program"]
    assert frame.loc[0, kept].tolist() == stamps[:6]
    with_gap = packets.from_records(np.array([(5, stamps[6], 0, stamps[7])]), [], ABOUT, stream=0)
    assert with_gap.loc[0, ["interval_start", "tx_program"]].tolist() == stamps[6:]
