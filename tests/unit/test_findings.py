"""What a metrologist asks for: intervals that hold what they promise, tests that find what is there and no more."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsnlab import packets
from tsnlab.analysis.comparison import compare
from tsnlab.analysis.confidence import percentile_intervals, rank_interval, share_interval
from tsnlab.analysis.findings import deadline, findings, tail
from tsnlab.analysis.slices import Slices
from tsnlab.analysis.spectrum import Spectrum
from tsnlab.analysis.stability import allan_deviation, drift
from tsnlab.analysis.statistics import Statistics
from tsnlab.analysis.tally import Tally
from tsnlab.formats.chunk import Chunk

CYCLE = 2_000_000
BASE = 1_588_076_872_000_000_000


def tally_of(values: np.ndarray) -> Tally:
    tally = Tally()
    tally.add(values.astype(np.int64))
    return tally


def course_of(values: np.ndarray) -> Slices:
    slices = Slices()
    slices.add(BASE + np.arange(len(values)) * CYCLE, values.astype(np.int64))
    return slices


@given(st.integers(1, 300), st.sampled_from([Fraction(1, 2), Fraction(9, 10), Fraction(99, 100)]))
def test_the_interval_of_a_percentile_covers_it_as_often_as_promised(count: int, share: Fraction) -> None:
    low, high = rank_interval(count, share)
    chances = [math.comb(count, k) * float(share) ** k * float(1 - share) ** (count - k) for k in range(count + 1)]
    inside = chances[0 if low is None else low : count + 1 if high is None else high]
    assert sum(inside) >= 0.95 - 1e-9
    assert low is None or sum(chances[:low]) <= 0.025 + 1e-9 < sum(chances[: low + 1]) + 2e-9


def test_percentiles_of_a_known_distribution_lie_in_their_intervals() -> None:
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(60):
        found = percentile_intervals(tally_of(rng.uniform(0, 1e6, 5000)))["p99_9"]
        assert found.low is not None
        hits += found.low <= 999_000 and (found.high is None or found.high >= 999_000)
    assert hits >= 52


def test_too_few_packets_do_not_bound_a_percentile_from_above() -> None:
    found = percentile_intervals(tally_of(np.arange(1001)))["p99_9"]
    assert found.high is None


def test_no_misses_among_many_packets_still_leave_three_in_as_many() -> None:
    assert share_interval(0, 1_000_000)[1] == pytest.approx(3e-6, rel=0.01)
    low, high = share_interval(5, 100)
    assert 0.01 < low < 0.05 < high < 0.12


def test_misses_of_the_window_are_counted_on_both_sides() -> None:
    found = deadline(
        tally_of(np.array([1_199_999, 1_200_000, 1_300_000, 1_300_001, 5_000_000])), (1_200_000, 1_300_000)
    )
    assert found is not None
    assert (found["early"], found["late"]) == (1, 2)


def test_two_runs_of_the_same_kind_are_not_told_apart_and_a_shift_of_a_nanosecond_is() -> None:
    rng = np.random.default_rng(7)
    one, other = (tally_of(rng.normal(1_253_260, 25, 60_000).round()) for _ in range(2))
    same = compare(one, other)
    assert same is not None
    assert not same.differs
    assert same.mean_low <= 0 <= same.mean_high
    moved = compare(one, tally_of(rng.normal(1_253_262, 25, 60_000).round()))
    assert moved is not None
    assert moved.differs
    assert moved.mean_low <= 2 <= moved.mean_high
    assert "The runs differ" in moved.statement()
    assert json.dumps(moved.to_json())
    assert compare(one, Tally()) is None


def test_a_drift_is_found_with_its_slope_and_noise_is_none() -> None:
    rng = np.random.default_rng(2)
    noise = rng.normal(1_253_260, 25, 200_000)
    still = drift(course_of(noise).course())
    assert still is not None
    assert still.slope_low <= 0 <= still.slope_high
    hours = np.arange(len(noise)) * CYCLE / 3.6e12
    moving = drift(course_of(noise + 360 * hours).course())
    assert moving is not None
    assert not moving.stationary
    assert moving.slope_low <= 360 <= moving.slope_high
    assert drift(course_of(noise[:3]).course()) is None


def test_a_periodic_disturbance_is_found_with_its_frequency_and_amplitude() -> None:
    rng = np.random.default_rng(4)
    count = np.arange(50_000)
    noise = rng.normal(1_253_260, 25, len(count))
    spectrum = Spectrum()
    spectrum.add((noise + 12 * np.sin(2 * np.pi * count / 37)).astype(np.int64))
    lines = spectrum.lines(CYCLE)
    assert lines[0].period_packets == pytest.approx(37, rel=0.01)
    assert lines[0].frequency_hz == pytest.approx(500 / 37, rel=0.01)
    assert lines[0].amplitude_ns == pytest.approx(12, rel=0.2)
    quiet = Spectrum()
    quiet.add(noise.astype(np.int64))
    assert quiet.lines(CYCLE) == []


def test_allan_deviation_of_white_phase_noise_falls_with_the_averaging_time() -> None:
    noise = np.random.default_rng(1).normal(0, 10, 20_000)
    times, deviations = allan_deviation(noise, 1.0)
    # NIST SP 1065: for white phase noise, sigma_y(tau) = sqrt(3) * sigma_x / tau
    assert deviations[0] == pytest.approx(math.sqrt(3) * 1e-8, rel=0.05)
    assert deviations[3] == pytest.approx(deviations[0] / 8, rel=0.1)
    assert times[:3].tolist() == [1, 2, 4]
    assert len(allan_deviation([1.0, 2.0], 1.0)[0]) == 0


@given(st.lists(st.integers(-1000, 4000), min_size=1, max_size=300), st.integers(2, 30))
def test_every_point_of_the_tail_is_exact_and_the_largest_is_there(values: list[int], points: int) -> None:
    found, counts = tail(tally_of(np.array(values)), points)
    assert found[-1] == max(values)
    assert [sum(value >= limit for value in values) for limit in found.tolist()] == counts.tolist()


def test_all_findings_are_json_and_the_jitters_are_those_of_their_definitions() -> None:
    rng = np.random.default_rng(9)
    seq = np.arange(4000)
    late = rng.integers(1_253_000, 1_253_500, len(seq))
    start = BASE + seq * CYCLE
    statistics = Statistics(packets.CaptureInfo(lab="x", case="y", cycle_ns=CYCLE, window=(1_200_000, 1_300_000)))
    statistics.add(
        Chunk(
            {
                "stream": np.zeros_like(seq),
                "seq": seq,
                "interval_start": start,
                "tx_program": start + 9,
                "rx_hardware": start + late,
            }
        )
    )
    found = findings(statistics.streams[0], statistics.info())
    assert json.dumps(found)
    steps = np.abs(np.diff(late))
    smoothed = 0.0
    for step in steps.tolist():
        smoothed += (step - smoothed) / 16
    assert found["jitter"]["rfc3550_interarrival"] == pytest.approx(smoothed)
    assert found["jitter"]["rfc5481_ipdv_largest"] == steps.max()
    assert found["jitter"]["rfc5481_ipdv_p99_9"] == np.sort(steps)[math.ceil(len(steps) * 0.999) - 1]
    assert found["jitter"]["peak_to_peak"] == np.ptp(late)
    largest = found["scheduled"]["largest"][0]
    assert (largest["seq"], largest["time"]) == (int(late.argmax()), int(start[late.argmax()]))
