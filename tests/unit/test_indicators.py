"""The indicators: formulas exact to the nanosecond, summaries that claim no more than the count allows."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsnlab import packets
from tsnlab.analysis.indicators import (
    indicators,
    network_jitter_ns,
    rt_app_latency_ns,
    scheduled_times_ns,
)
from tsnlab.analysis.summary import PERCENTILES, exact_mean, percentiles, summarise
from tsnlab.errors import ConfigError

unhurried = settings(deadline=None)  # the machine may be busy

CYCLE = 2_000_000
BASE = 1_588_076_872_000_000_001


def capture(
    scheduled: Sequence[int | None], latencies: Sequence[int] | None = None, cycle_ns: int = CYCLE
) -> pd.DataFrame:
    """A capture with these scheduled times (None: lost) and application latencies, in nanoseconds."""
    starts = [BASE + index * CYCLE for index in range(len(scheduled))]
    sends = [start + after for start, after in zip(starts, latencies or [1] * len(starts), strict=True)]
    talker = [(seq, start, start, send) for seq, (start, send) in enumerate(zip(starts, sends, strict=True))]
    listener = [
        (1, seq, starts[seq], 0, 0, 0, starts[seq] + after, 0)
        for seq, after in enumerate(scheduled)
        if after is not None
    ]
    about = packets.CaptureInfo(
        lab="virtual",
        case="case2",
        cycle_ns=cycle_ns,
        clock="CLOCK_TAI",
        badges=("simulated time",),
        late={"missed": 1},
    )
    return packets.from_records(talker, listener, about, stream=1)


def test_scheduled_time_is_arrival_minus_interval_start_to_the_nanosecond() -> None:
    assert scheduled_times_ns(capture([1_253_188, None, 1_253_343])).tolist() == [1_253_188, pd.NA, 1_253_343]


def test_application_latency_is_program_send_minus_interval_start() -> None:
    assert rt_app_latency_ns(capture([1, 1], [28_184, 1_259_387])).tolist() == [28_184, 1_259_387]


def test_nothing_is_taken_modulo_the_cycle() -> None:
    frame = capture([CYCLE + 5, 7], [CYCLE + 3, 4])
    assert scheduled_times_ns(frame).tolist() == [CYCLE + 5, 7]
    assert rt_app_latency_ns(frame).tolist() == [CYCLE + 3, 4]


def test_jitter_is_the_runs_mean_minus_the_scheduled_time_so_early_is_positive() -> None:
    jitter = network_jitter_ns(capture([100, None, 103, 109]))
    assert jitter.dtype == "Float64"
    assert jitter.tolist() == [4.0, pd.NA, 1.0, -5.0]


def test_jitter_does_not_depend_on_the_order_of_packets() -> None:
    forward, backward = capture([100, 103, 110]), capture([110, 103, 100])
    assert network_jitter_ns(forward).tolist() == network_jitter_ns(backward).tolist()[::-1]


def test_jitter_of_times_near_the_epoch_keeps_its_nanoseconds() -> None:
    far = 1_600_000_000_000_000_000
    assert network_jitter_ns(capture([far, far + 2])).tolist() == [1.0, -1.0]


def test_netlatency_takes_jitter_from_the_running_mean_and_times_modulo_the_cycle() -> None:
    frame = capture([100, CYCLE + 106, 109], [CYCLE + 3, 4, 5])
    assert rt_app_latency_ns(frame, mode="netlatency").tolist() == [3, 4, 5]
    # nl-calc: mean = (n * mean + val) / (n + 1), jitter = mean - val; means are 100, 103, 105
    assert network_jitter_ns(frame, mode="netlatency").tolist() == [0.0, -3.0, -4.0]


def test_netlatency_counts_packets_in_the_order_of_their_arrival() -> None:
    overtaken = capture([2 * CYCLE + 100, 106, 109])
    # the second arrives before the first: values 106, 100, 109, means 106, 103, 105
    assert network_jitter_ns(overtaken, mode="netlatency").tolist() == [3.0, 0.0, -4.0]


def test_netlatency_mode_needs_to_know_the_cycle() -> None:
    with pytest.raises(ConfigError, match="cycle_ns"):
        indicators(capture([100], cycle_ns=0), mode="netlatency")


@unhurried
@given(st.lists(st.integers(0, 10 * CYCLE), min_size=1, max_size=50))
def test_the_running_mean_is_that_of_nl_calc(scheduled: list[int]) -> None:
    frame = capture(scheduled)
    mean, expected = 0.0, {}
    for count, seq in enumerate(sorted(range(len(scheduled)), key=lambda seq: seq * CYCLE + scheduled[seq])):
        value = scheduled[seq] % CYCLE
        mean = (count * mean + value) / (count + 1)
        expected[seq] = mean - value
    measured = network_jitter_ns(frame, mode="netlatency").tolist()
    assert measured == pytest.approx([expected[seq] for seq in range(len(scheduled))], abs=1e-3)


def test_summaries_are_in_microseconds_with_three_exact_decimals() -> None:
    summary = indicators(capture([1_253_188, 1_253_343])).scheduled_times_us
    assert (summary.min, summary.max, summary.spread, summary.mean) == (1253.188, 1253.343, 0.155, 1253.2655)
    assert (summary.seq_of_min, summary.seq_of_max) == (0, 1)


def test_spread_of_jitter_is_that_of_scheduled_times() -> None:
    result = indicators(capture([1_253_188, 1_253_200, 1_253_343]))
    assert result.network_jitter_ns.spread == pytest.approx(155)
    assert result.network_jitter_ns.mean == 0
    assert (result.network_jitter_ns.seq_of_min, result.network_jitter_ns.seq_of_max) == (2, 0)


@pytest.mark.parametrize("frame", [capture([]), capture([None, None])], ids=["nothing sent", "nothing received"])
def test_no_packets_give_empty_summaries(frame: pd.DataFrame) -> None:
    result = indicators(frame)
    assert result.scheduled_times_us.count == result.network_jitter_ns.count == 0
    assert result.scheduled_times_us.min is result.network_jitter_ns.p50 is None
    assert "0 received" in repr(result)


def test_run_json_has_every_indicator_and_what_became_of_the_packets() -> None:
    told = json.loads(json.dumps(indicators(capture([100, None, 103])).to_json()))
    assert set(told["indicators"]) == {"scheduled_times_us", "rt_app_latency_us", "network_jitter_ns"}
    assert told["indicators"]["scheduled_times_us"]["max"] == 0.103
    assert {"count", "min", "mean", "max", "std", "spread", "p50", "p99", "p99_9"} <= set(
        told["indicators"]["network_jitter_ns"]
    )
    assert told["packets"] == {
        "sent": 3,
        "received": 2,
        "lost": 1,
        "late": 1,
        "late_reasons": {"missed": 1},
        "duplicated": 0,
        "reordered": 0,
        "not_stamped": 0,
        "warm_up": 0,
    }
    assert told["badges"] == ["simulated time"]


def test_the_table_names_units_clock_and_badges() -> None:
    result = indicators(capture([1_253_188, 1_253_343]))
    for text in (repr(result), result._repr_html_()):
        for word in ("1253.188", "µs", "ns", "CLOCK_TAI", "rx_kernel", "simulated time", "2 sent"):
            assert word in text


def test_the_html_table_escapes_what_it_shows() -> None:
    frame = capture([1])
    packets.attach(frame, packets.info(frame).model_copy(update={"clock": "<script>"}))
    assert "<script>" not in indicators(frame)._repr_html_()


small = st.lists(st.integers(-1000, 1000), min_size=1, max_size=200)


@unhurried
@given(small)
def test_a_summary_of_small_integers_is_numpys(values: list[int]) -> None:
    summary, array = summarise(np.array(values)), np.array(values)
    assert (summary.count, summary.min, summary.max) == (len(values), min(values), max(values))
    assert summary.spread == np.ptp(array)
    assert summary.mean == pytest.approx(array.mean(), abs=1e-6)
    assert summary.std == pytest.approx(array.std(), abs=1e-6)


@unhurried
@given(small)
def test_a_percentile_is_the_value_of_nearest_rank(values: list[int]) -> None:
    for name, value in percentiles(np.array(values)).items():
        share = PERCENTILES[name]
        at_most = sum(other <= value for other in values)
        below = sum(other < value for other in values)
        assert value in values
        assert Fraction(below, len(values)) < share <= Fraction(at_most, len(values))


@unhurried
@given(small, st.integers(-(1 << 62), 1 << 62))
def test_a_summary_moves_with_its_values_however_far(values: list[int], distance: int) -> None:
    near, far = np.array(values, dtype=np.int64), np.array(values, dtype=np.int64) + distance
    assert exact_mean(far) == exact_mean(near) + distance
    assert summarise(far).min == summarise(near).min + distance  # type: ignore[operator]
    assert summarise(far).std == pytest.approx(summarise(near).std, abs=1e-5)


@pytest.mark.parametrize(
    ("count", "highest"),
    [
        (1, None),
        (2, "p50"),
        (100, "p99"),
        (999, "p99"),
        (1000, "p99_9"),
        (5000, "p99_9"),
        (100_000, "p99_999"),
    ],
)
def test_a_percentile_is_given_only_if_a_value_ranks_above_it(count: int, highest: str | None) -> None:
    given_ = percentiles(np.arange(count))
    assert max(given_, key=lambda name: PERCENTILES[name], default=None) == highest


@pytest.mark.parametrize("count", [1000, 2000, 3000, 7000, 10_000])
def test_ranks_are_not_off_by_one(count: int) -> None:
    # in float64, 99.9 / 100 * 1000 is 999.0000000000001: numpy's inverted_cdf gives 1000 of 1000
    assert percentiles(np.arange(1, count + 1))["p99_9"] == count - count // 1000


def test_a_thousand_packets_and_one_late_one_have_their_p99_9_before_it() -> None:
    values = np.full(1001, 5)
    values[500] = 9_000
    assert summarise(values).p99_9 == 5
    assert summarise(values, seq=np.arange(1001)).seq_of_max == 500


def test_the_mean_of_many_absolute_times_does_not_overflow() -> None:
    times = np.full(1000, BASE)
    assert exact_mean(times) == BASE
    assert math.isclose(summarise(times).std or 0.0, 0.0)
