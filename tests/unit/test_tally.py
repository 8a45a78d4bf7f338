"""Streaming statistics: exact, and the same for any order and any grouping of the values."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsnlab.analysis.moments import Moments
from tsnlab.analysis.sequences import Sequences
from tsnlab.analysis.summary import PERCENTILES
from tsnlab.analysis.tally import Tally

nanoseconds = st.integers(-(1 << 63), (1 << 63) - 1)
latencies = st.integers(-5_000, 3_000_000)
cuts = st.lists(st.integers(0, 60), max_size=6)


def pieces(values: np.ndarray, where: list[int]) -> list[np.ndarray]:
    return np.split(values, sorted(min(cut, len(values)) for cut in where))


def tally_of(parts: list[np.ndarray], most_pages: int = 64) -> Tally:
    tally = Tally(most_pages)
    for part in parts:
        tally.add(part)
    return tally


@given(st.lists(latencies, min_size=1, max_size=60), cuts)
def test_every_rank_is_exact_for_any_chunks(values: list[int], where: list[int]) -> None:
    tally = tally_of(pieces(np.array(values), where), most_pages=2048)
    assert tally.at_ranks(list(range(1, len(values) + 1))) == sorted(values)
    assert tally.shift == 0


@given(st.lists(nanoseconds, min_size=1, max_size=60), cuts, st.randoms())
def test_order_and_chunks_do_not_matter_even_for_values_that_do_not_fit(
    values: list[int], where: list[int], random
) -> None:
    once = tally_of([np.array(values, dtype=np.int64)], most_pages=4)
    random.shuffle(values)
    parts = [tally_of([part], most_pages=4) for part in pieces(np.array(values, dtype=np.int64), where)]
    merged = Tally(4)
    for part in parts:
        merged.merge(part)
    assert merged.shift == once.shift
    assert [one.tolist() for one in merged.bins()] == [one.tolist() for one in once.bins()]
    assert merged.moments == once.moments


@given(st.lists(nanoseconds, min_size=1, max_size=60))
def test_a_value_from_wider_bins_is_within_the_stated_bound(values: list[int]) -> None:
    tally = tally_of([np.array(values, dtype=np.int64)], most_pages=4)
    for rank, true in enumerate(sorted(values), start=1):
        assert 0 <= tally.at_rank(rank) - true < tally.resolution


@given(st.lists(nanoseconds, min_size=1, max_size=60), cuts)
def test_moments_are_exact(values: list[int], where: list[int]) -> None:
    moments = Moments()
    for part in pieces(np.array(values, dtype=np.int64), where):
        moments.add(part)
    mean = Fraction(sum(values), len(values))
    assert moments.mean() == mean
    assert moments.variance() == sum((value - mean) ** 2 for value in values) / len(values)


def test_percentiles_are_those_of_numpy_on_the_whole() -> None:
    values = np.random.default_rng(1).integers(-1_000_000, 3_000_000, 250_000)
    tally = tally_of(np.array_split(values, 7), most_pages=2048)
    ordered = np.sort(values)
    expected = {name: ordered[math.ceil(share * len(values)) - 1] for name, share in PERCENTILES.items()}
    assert tally.percentiles() == expected


def test_ranks_are_integers_so_that_p99_9_of_1000_values_is_the_999th() -> None:
    assert tally_of([np.arange(1, 1001)]).percentiles()["p99_9"] == 999


def test_negative_latencies_stay_negative() -> None:
    tally = tally_of([np.array([-3, -2, 5])])
    assert tally.bins()[0].tolist() == [-3, -2, 5]
    assert (tally.lowest, tally.below(0), tally.above(4)) == (-3, 2, 1)


def test_one_value_far_away_costs_no_precision() -> None:
    tally = Tally(64)
    tally.add(np.concatenate([np.arange(1000), [1 << 50]]))
    assert (tally.shift, tally.at_rank(1001), tally.at_rank(500)) == (0, 1 << 50, 499)


def test_the_tail_is_exact_where_sketches_fail() -> None:
    values = np.concatenate([np.full(999_980, 1_253_260), np.arange(20) * 10_000 + 1_300_000])
    assert tally_of([values], 2048).percentiles()["p99_999"] == 1_390_000


def test_no_such_rank() -> None:
    with pytest.raises(IndexError):
        Tally().at_rank(1)


numbers = st.lists(st.one_of(st.integers(0, 40), st.integers(65_500, 65_600), st.integers(0, (1 << 32) - 1)))


@given(numbers, cuts)
def test_losses_duplicates_and_reordering_are_exact_for_any_chunks(seq: list[int], where: list[int]) -> None:
    sequences, fresh = Sequences(), []
    for part in pieces(np.array(seq, dtype=np.int64), where):
        mask = sequences.add(part)
        fresh += [True] * len(part) if mask is None else mask.tolist()
    seen: set[int] = set()
    highest, reordered, expected = -1, 0, []
    for number in seq:
        expected.append(number not in seen)
        reordered += number not in seen and number < highest
        seen.add(number)
        highest = max(highest, number)
    assert fresh == expected
    assert (sequences.received, sequences.duplicated) == (len(seen), len(seq) - len(seen))
    assert sequences.reordered == reordered
    assert sequences.lost == (max(seq) - min(seq) + 1 - len(seen) if seq else 0)


@given(st.sets(st.integers(0, 200_000), min_size=1, max_size=50), cuts)
def test_loss_bursts_are_the_gaps_between_numbers(seq: set[int], where: list[int]) -> None:
    ordered = sorted(seq)
    sequences = Sequences()
    for part in pieces(np.array(ordered), where):
        sequences.add(part)
    gaps = [after - before - 1 for before, after in itertools.pairwise(ordered) if after - before > 1]
    bursts = sequences.bursts()
    assert sum(length * count for length, count in bursts.lengths.items()) == sequences.lost == sum(gaps)
    assert bursts.longest == max(gaps, default=0)


def test_a_loss_at_the_border_of_chunks_is_found() -> None:
    sequences = Sequences()
    sequences.add(np.arange(0, 100_000))
    sequences.add(np.arange(100_003, 300_000))
    assert (sequences.lost, sequences.bursts().longest, sequences.bursts().longest_seq) == (3, 3, 100_000)


def test_every_second_packet_lost_takes_a_bitmap_not_a_list() -> None:
    sequences = Sequences()
    sequences.add(np.arange(0, 4_000_000, 2))
    assert sequences.lost == 1_999_999
    assert sum(page.nbytes for page in sequences._pages.values()) < 600_000
