"""Every number has an uncertainty: from the clocks, from the step of the timestamps, from the count."""

import pytest

from tsnlab import packets
from tsnlab.analysis.indicators import indicators, scheduled_times_ns
from tsnlab.analysis.uncertainty import resolution_ns, settled, uncertainties
from tsnlab.calibration import PathDelay
from tsnlab.case import load_case
from tsnlab.errors import ConfigError
from tsnlab.report import beside
from tsnlab.report.glance import glance

START, CYCLE = 1_588_055_400_000_000_000, 2_000_000


@pytest.fixture
def frame():
    """100 packets, sent 3 us into their cycle, received 10 us +- 32 ns into it, all on a grid of 32 ns."""
    starts = [START + n * CYCLE for n in range(100)]
    talker = [(n, start, start + 2_976, start + 3_008) for n, start in enumerate(starts)]
    arrivals = [start + 10_016 + 32 * (n % 3 - 1) for n, start in enumerate(starts)]
    listener = [(0, *row, 0, arrival, arrival + 64) for row, arrival in zip(talker, arrivals, strict=True)]
    about = packets.CaptureInfo(lab="l", case="c", cycle_ns=CYCLE, sync={"ok": True, "worst_offset_ns": 64})
    return packets.from_records(talker, listener, about, stream=0)


def test_the_step_of_a_clock_is_found_in_its_timestamps(frame):
    times = scheduled_times_ns(frame)
    assert resolution_ns(times, CYCLE) == 32
    # 1252.064 us, each time: no finer than 32 ns
    assert resolution_ns(times * 0 + 1_252_064, CYCLE) == 32
    assert resolution_ns(times[:0], CYCLE) is None


def test_scheduled_times_are_as_uncertain_as_two_clocks_and_a_step(frame):
    found = uncertainties(frame).scheduled_times
    assert (found.sync_ns, found.resolution_ns, found.single_ns) == (2 * 64, 32, 160)
    assert found.mean_ns == pytest.approx(1.96 * 26.3 / 10, rel=0.01)
    assert found.beyond_share == 0.03


def test_the_application_latency_is_taken_on_one_clock(frame):
    assert uncertainties(frame).rt_app_latency.sync_ns == 0


def test_one_clock_for_both_ends_has_no_difference(frame):
    about = packets.info(frame)
    one = about.model_copy(update={"sync": {"ok": True, "worst_offset_ns": 24_384, "one_clock": True}})
    found = uncertainties(packets.attach(frame, one))
    assert (found.scheduled_times.sync_ns, found.network_jitter.single_ns) == (0, 32)


def test_without_synchronisation_nothing_is_known_between_two_clocks(frame):
    about = packets.info(frame).model_copy(update={"sync": {"ok": False, "why": "ptp4l was not running"}})
    found = uncertainties(packets.attach(frame, about))
    assert found.scheduled_times.single_ns is None
    assert " - " in repr(found)


def test_the_warm_up_is_discarded_and_the_rest_is_counted(frame):
    kept = settled(frame, 10)
    assert list(kept["seq"]) == list(range(10, 100))
    about = packets.info(kept)
    assert (about.sent, about.received, about.lost) == (90, 90, 0)
    with pytest.raises(ConfigError, match="100 of 100 packets cannot be discarded"):
        settled(frame, 100)


@pytest.mark.parametrize(
    ("delays", "gate", "message"),
    [
        ((4_200, -30), None, "1 of 2 frames arrived before they were sent"),
        ((4_200, 3_900), None, "less than the 4112 ns"),
        ((4_200, 120_000), 100_000, "longer than the gate is open"),
    ],
)
def test_an_implausible_path_delay_is_flagged(delays, gate, message):
    (problem,) = PathDelay(delays, 4_112).implausible(gate)
    assert message in problem


def test_a_plausible_path_delay_is_not_flagged():
    assert PathDelay((4_144, 4_208), 4_112).implausible(100_000) == []


def test_every_indicator_on_the_first_screen_carries_its_uncertainty(frame):
    case = load_case("case2")
    text = repr(beside(frame, case))
    assert "each ±" in text
    # two clocks of 64 ns and a step of 32 ns: 0.160 us for a scheduled time, 160 ns for the jitter
    rows = {line.split("  ")[0]: line for line in text.splitlines()}
    assert " 0.160 " in rows["Scheduled times"]
    assert " 160.0 " in rows["TSN network jitter"]
    unsure = uncertainties(frame).to_json()
    run = {
        "run": "r",
        "case": "case2",
        "status": "done",
        "started": "2026-01-01",
        "indicators": indicators(frame).to_json()["indicators"],
        "uncertainty": unsure,
    }
    first = glance(run).cards[0]
    assert first.each == "0.160"
    assert dict(first.facts)["each value ±"] == "0.160"


def test_delays_that_cannot_be_true_are_flagged(frame):
    assert str(uncertainties(frame).implausible) == "no path delay is implausible"
    broken = frame.copy()
    broken.loc[[3, 4], "rx_kernel"] = broken.loc[[3, 4], "tx_program"] - 50
    broken.loc[[7], "rx_kernel"] += 120_000
    about = packets.info(frame).model_copy(update={"window": (0, 100_000)})
    found = uncertainties(packets.attach(broken, about))
    assert (found.implausible.negative, found.implausible.beyond) == (2, 1)
    assert "2 packets arrived before they were sent: the clocks are apart" in repr(found)
    assert found.to_json()["implausible"] == {"negative": 2, "beyond": 1}
