"""Whether a stream fits its schedule, and what an interface can run, before anything is applied."""

from types import SimpleNamespace

import pytest

import tsnlab
from tests.drawings import svg
from tests.unit.schedules import taprio
from tsnlab import schedule
from tsnlab.errors import ConfigError
from tsnlab.lab import load_lab_file
from tsnlab.qdisc.delta import WakeupLatency
from tsnlab.schedule import Cbs, Etf, Mqprio, Vlan, nic


@pytest.fixture
def lab():
    spec = load_lab_file("virtual")
    return SimpleNamespace(spec=spec, talker=spec.roles.talker)


@pytest.mark.parametrize("name", ["case2", "case3"])
def test_the_guides_stream_fits(lab, name):
    assert schedule.fit(tsnlab.load_case(name), lab).check().fits


def test_a_launch_at_the_end_of_the_window_does_not_fit(lab):
    found = schedule.fit(tsnlab.load_case("case2", offset_us=99), lab, late_ns=2_000)
    assert not found.fits
    with pytest.raises(ConfigError, match="does not fit"):
        found.check()


def test_a_talker_that_wakes_up_too_late_does_not_fit(lab):
    case = tsnlab.load_case("case2", etf_delta_us=600)
    (wakeup, *_) = schedule.fit(case, lab).margins
    assert wakeup.left_ns == 650_000 - 758_482


def test_the_guard_band_counts_the_synchronisation(lab):
    case = tsnlab.load_case("case3")
    guard = next(m for m in schedule.fit(case, lab).margins if m.what.startswith("guard band"))
    assert guard.left_ns > 0
    assert not schedule.fit(case, lab, sync_error_ns=guard.left_ns + 1).fits


def test_an_i210_launches_frames_on_two_queues_only():
    etf = Etf(delta="2 us", offload_delta="5 ms")
    entries = [(1, 500_000), (0xF, 500_000)]
    assert nic("I210").problems(taprio(entries), etf, 1) == []
    (problem,) = nic("I210").problems(taprio(entries), etf, 2)
    assert "launches frames on queues 0 and 1 only; priority 2 is on 2" in problem


def test_an_i210_needs_a_cycle_that_divides_a_second():
    etf = Etf(delta="2 us", offload_delta="5 ms")
    (problem,) = nic("I210").problems(taprio([(1, 300_000), (2, 400_000)]), etf, 1)
    assert "does not divide a second" in problem


def test_an_entry_that_is_too_short_at_10_mbps_is_long_enough_at_1_gbps():
    value = taprio([(1, 20_000)])
    assert nic("veth").problems(value) == []
    assert "less than the 48000 ns" in nic("veth", rate_bps=10_000_000).problems(value)[0]


def test_what_is_allowed_and_may_not_be_meant_is_remarked():
    assert taprio([(1, 1000), (0xE, 1000)]).remarks() == []
    (closed,) = taprio([(1, 1000)], classes=2).remarks()
    assert closed.startswith("the gate of class 1 (priority 1, 3, 5")
    assert "ends 500 ns before" in taprio([(1, 1000), (0xE, 1000)], cycle=1500).remarks()[0]
    assert "out of phase" in taprio([(1, 1000), (0xE, 1000)], cycle=2500).remarks()[0]


def test_the_credits_of_cbs_are_those_of_the_manual_page():
    # tc-cbs(8): 98 688 kbit/s of 1 Gbit/s; its hicredit counts interference of 1542 bytes
    value = Cbs.for_share(98_688, 1_000_000, largest_frame=1542, largest_other=1542)
    assert (value.idleslope, value.sendslope, value.hicredit, value.locredit) == (98_688, -901_312, 153, -1389)


def test_rates_without_hardware_are_refused():
    with pytest.raises(ValueError, match="bw_rlimit"):
        Mqprio(map=[0] * 16, queues=["1@0"], min_rate=[1])


def test_a_vlan_is_read_back():
    value = Vlan(number=3, egress={6: 6})
    assert value.to_ip("eth1", "eth1.3")[-2:] == ["egress-qos-map", "6:6"]
    data = {"id": 3, "egress_qos": [{"from": 6, "to": 6}]}
    assert Vlan.from_ip_json({"linkinfo": {"info_data": data}}) == value


def test_the_recommended_delta_is_more_than_the_longest_latency():
    assert WakeupLatency("node1", (10_000, 28_400, 12_000)).delta_ns == 43_000


def test_a_schedule_draws_itself():
    assert svg(taprio([(1, 1000), (2, 1000)], classes=2)._repr_html_()).count("<title>open") == 2
