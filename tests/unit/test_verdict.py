"""Verdicts: limits that hold and that do not, sentences that explain, numbers that must not be believed."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from tsnlab import packets, verdict
from tsnlab.errors import SyncError, TsnlabError, VerdictError
from tsnlab.verdict import Limits, Verdict

CYCLE = 2_000_000
BASE = 1_588_076_872_000_000_001
LATENCIES = 28_184 + 1_222_203 * np.arange(100) ** 2 // 99**2
CONTROLLED = 1_253_188 + np.arange(100) % 20 * 8


def capture(scheduled: np.ndarray = CONTROLLED, lose: int = 0, **about: Any) -> pd.DataFrame:  # type: ignore[type-arg]
    """A hundred packets with these scheduled times, the last `lose` of them lost."""
    seq = np.arange(100)
    start = BASE + CYCLE * seq
    sent = np.stack([seq, start, start, start + LATENCIES], axis=1)
    none = np.zeros(100, dtype=np.int64)
    received = np.stack([none, seq, start, none, none, none, start + scheduled, none], axis=1)
    described: dict[str, Any] = {
        "lab": "virtual",
        "case": "case2",
        "cycle_ns": CYCLE,
        "sync": {"ok": True},
        **about,
    }
    return packets.from_records(sent, received[: 100 - lose], packets.CaptureInfo(**described), stream=0)


def row(frame: pd.DataFrame, name: str, **limits: Any) -> Verdict:
    found = [one for one in verdict.judge(frame, Limits(**limits)).rows if one.name == name]
    assert len(found) == 1
    return found[0]


def test_the_numbers_are_guarded_even_if_the_case_has_no_limits() -> None:
    verdicts = verdict.check(capture(), Limits())
    assert [one.name for one in verdicts.rows] == ["capture", "clocks", "packets accounted for"]
    assert verdicts.passed


def test_a_measurement_that_was_cut_short_does_not_pass() -> None:
    found = row(capture(complete=False), "capture")
    assert not found.passed
    assert "ended early; 100 packets" in found.why


def test_lost_sync_is_an_error_and_not_a_report() -> None:
    frame = capture(sync={"ok": False, "worst_offset_ns": 812_345, "why": "node2 left SLAVE"})
    with pytest.raises(SyncError, match=r"worst offset 812345 ns\): node2 left SLAVE"):
        verdict.check(frame, Limits())


def test_packets_that_arrive_before_they_are_sent_say_that_the_clocks_are_apart() -> None:
    scheduled = CONTROLLED.copy()
    scheduled[40] = LATENCIES[40] - 1
    found = row(capture(scheduled), "clocks")
    assert (found.measured, found.passed) == ("not in sync", False)
    assert found.why == "1 packets arrived before they were sent: the clocks are apart"


def test_clocks_of_which_nothing_is_known_do_not_pass() -> None:
    found = row(capture(sync={}), "clocks")
    assert (found.measured, found.passed) == ("unknown", False)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"sent": 101}, "101 packets were sent, but the table has 100 rows"),
        ({"lost": 3}, "100 received and 3 lost do not make 100 sent"),
        ({"not_stamped": 1}, "do not make 100 received"),
        ({"late": {"missed": 2}}, "etf dropped 2 packets, but only 0 are missing"),
    ],
)
def test_packets_that_are_not_accounted_for_do_not_pass(change: dict[str, Any], reason: str) -> None:
    frame = capture()
    packets.attach(frame, packets.info(frame).model_copy(update=change))
    assert reason in row(frame, "packets accounted for").why


def test_a_part_of_a_capture_does_not_pass_for_the_whole() -> None:
    assert not row(capture().head(50), "packets accounted for").passed


def test_losses_are_explained_by_what_etf_dropped() -> None:
    found = row(capture(lose=3, late={"missed": 2, "invalid": 1}), "packets lost", lost_max=0)
    assert (found.measured, found.passed) == (3, False)
    assert "3 of 100 packets did not arrive" in found.why
    assert "(missed: 2, invalid: 1)" in found.why


def test_as_many_losses_as_allowed_pass() -> None:
    assert row(capture(lose=3), "packets lost", lost_max=3).passed


def test_nothing_received_fails_every_limit_on_arrivals_and_names_the_reason() -> None:
    limits = {"scheduled_max_us": 2000, "jitter_abs_max_ns": 100, "lost_max": 100, "inside_window": True}
    frame = capture(lose=100, window=(1_200_000, 1_300_000))
    failed = [one for one in verdict.judge(frame, Limits(**limits)).rows if not one.passed]
    assert len(failed) == 4
    assert all("no packet was received" in one.why for one in failed)


@pytest.mark.parametrize(
    ("limit", "just_holds", "just_fails"),
    [
        ("scheduled_min_us", 1253.188, 1253.189),
        ("scheduled_max_us", 1253.340, 1253.339),
        ("scheduled_spread_max_us", 0.152, 0.151),
        ("scheduled_spread_min_us", 0.152, 0.153),
        ("rt_app_latency_min_us", 28.184, 28.185),
        ("rt_app_latency_max_us", 1250.387, 1250.386),
        ("jitter_abs_max_ns", 76, 75.9),
    ],
)
def test_limits_hold_to_the_nanosecond(limit: str, just_holds: float, just_fails: float) -> None:
    assert verdict.judge(capture(), Limits(**{limit: just_holds})).passed
    failing = [one for one in verdict.judge(capture(), Limits(**{limit: just_fails})).rows if not one.passed]
    assert [bool(one.why) for one in failing] == [True]


def test_a_spread_under_load_is_blamed_on_best_effort_frames() -> None:
    blocked = CONTROLLED + np.arange(100) % 3 * 6_152
    found = row(capture(blocked, load={"frames_sent": 82_570}), "scheduled times, spread", scheduled_spread_max_us=1)
    assert "occupies a 1 Gbit/s link for 12.3 µs: best-effort frames are getting in the way" in found.why


def test_scheduled_times_that_follow_the_program_are_blamed_on_missing_control() -> None:
    found = row(capture(LATENCIES + 41_640), "scheduled times, spread", scheduled_spread_max_us=1)
    assert "arrivals follow the program" in found.why
    assert "packet 0 is the earliest, 99 the latest" in found.why


def test_a_case_that_expects_no_control_is_not_met_by_controlled_times() -> None:
    assert row(capture(LATENCIES), "scheduled times, spread", scheduled_spread_min_us=1000).passed
    assert not row(capture(), "scheduled times, spread", scheduled_spread_min_us=1000).passed


@pytest.mark.parametrize(("window", "passed"), [((1_253_188, 1_253_340), True), ((1_253_189, 1_253_340), False)])
def test_every_arrival_has_to_lie_in_the_window(window: tuple[int, int], passed: bool) -> None:
    found = row(capture(window=window), "inside the transmit window", inside_window=True)
    assert found.passed is passed
    assert found.measured == "1253.188 to 1253.340"


def test_without_a_window_nothing_is_inside_it() -> None:
    assert "names no transmit window" in row(capture(), "inside the transmit window", inside_window=True).why


def test_the_load_has_to_be_offered_and_received() -> None:
    frame = capture(load={"offered_bps": 956e6, "received_bps": 371e6})
    assert row(frame, "best-effort load offered", load_min_mbps=950).passed
    assert row(frame, "best-effort load received", load_min_mbps=950).measured == 371
    assert row(capture(), "best-effort load offered", load_min_mbps=950).why == "no load was measured"


def test_check_raises_with_the_table_and_the_reason() -> None:
    with pytest.raises(VerdictError) as raised:
        verdict.check(capture(lose=1), Limits(lost_max=0))
    assert "1 of 4 limits do not hold" in str(raised.value)
    assert "FAILS  packets lost" in str(raised.value)
    assert "packets lost: 1 of 100 packets did not arrive" in str(raised.value)
    assert isinstance(raised.value, TsnlabError)


def test_check_takes_a_case_as_well() -> None:
    case = SimpleNamespace(limits=Limits(lost_max=0))
    assert verdict.check(capture(), case).rows[-1].name == "packets lost"


def test_verdicts_are_json_and_html() -> None:
    verdicts = verdict.judge(capture(lose=1), Limits(lost_max=0, scheduled_max_us=1300))
    told = json.loads(json.dumps(verdicts.to_json()))
    assert {"name", "limit", "measured", "unit", "passed", "why"} == set(told[0])
    assert [one["passed"] for one in told] == [True, True, True, False, True]
    assert "FAILS" in verdicts._repr_html_()


def test_an_unknown_limit_is_refused() -> None:
    with pytest.raises(ValidationError, match="lost_maximum"):
        Limits(lost_maximum=0)  # type: ignore[call-arg]


def test_limits_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ValidationError, match="scheduled_min_us \\(3\\) is greater than scheduled_max_us \\(2\\)"):
        Limits(scheduled_min_us=3, scheduled_max_us=2)


def test_reading_limits_loads_neither_pandas_nor_numpy() -> None:
    program = "import sys, tsnlab.verdict; sys.exit(bool({'pandas', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
