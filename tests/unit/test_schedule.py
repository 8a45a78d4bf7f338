"""Schedules as values: what tc is told, and how the kernel's answer is compared."""

import json
from pathlib import Path

import pytest

from tests.unit.schedules import MANUAL, MANUAL_CBS, MANUAL_ETF, MANUAL_MQPRIO, words
from tsnlab.case import load_case
from tsnlab.errors import ConfigError
from tsnlab.files import check
from tsnlab.schedule import Taprio, Vlan

DATA = Path(__file__).parent / "data"
BASE = 1_588_055_400_000_000_000


@pytest.fixture
def guide() -> Taprio:
    return load_case("case2").taprio


def test_tc_is_told_what_the_guide_tells_it(guide):
    words = " ".join(guide.to_tc(1588076872000000000))
    assert words == (
        "handle 100 stab overhead 24 taprio num_tc 4 map 3 3 3 3 3 3 1 3 3 3 3 3 3 3 3 3 queues 1@0 1@1 1@2 1@3 "
        "base-time 1588076872000000000 "
        + "sched-entry S 01 200000 sched-entry S 02 100000 sched-entry S 04 100000 sched-entry S 08 100000 " * 2
        + "clockid CLOCK_TAI"
    )


def test_what_the_kernel_answers_is_recognised_as_the_same_schedule(guide):
    answer = json.loads((DATA / "tc-qdisc-case2.json").read_text())
    assert guide.same_as(answer[0]["options"], BASE) == []
    assert load_case("case2").etf.same_as(answer[4]["options"], offload=False) == []


def test_a_difference_to_the_kernels_answer_is_named(guide):
    options = json.loads((DATA / "tc-qdisc-case2.json").read_text())[0]["options"]
    assert guide.same_as(options, BASE + 1) == [f"base_time: wanted one in phase with {BASE + 1}, kernel says {BASE}"]
    assert guide.same_as(options, BASE + 7 * guide.cycle_ns) == []
    options["schedule"][1]["interval"] = 50_000
    assert guide.same_as(options, BASE)[0].startswith("schedule: wanted")


def test_the_streams_gate_is_open_in_its_window_and_closed_beside_it(guide):
    assert guide.is_open(6, 1_200_000, 1_300_000)
    assert not guide.is_open(6, 1_199_999, 1_300_000)
    assert not guide.is_open(6, 1_200_000, 1_300_001)


@pytest.mark.parametrize("name", MANUAL)
def test_tc_is_told_what_its_manual_page_tells_it(name):
    value, base, said = MANUAL[name]
    told = words(" ".join(value.to_tc(base)))
    for added in ("handle", "stab", "overhead"):
        del told[added]
    assert told == words(said)


def test_etf_mqprio_and_cbs_are_told_what_their_manual_pages_tell_them():
    for value, said in MANUAL_ETF.values():
        assert words(" ".join(value.to_tc(offload=True))) == words(said)
    value, said = MANUAL_MQPRIO
    told = words(" ".join(value.to_tc("100")))
    assert told.pop("handle") == ["100"]
    assert told == words(said)
    value, said = MANUAL_CBS
    told = words(" ".join(value.to_tc()))
    assert told.pop("offload") == ["0"]
    assert told == words(said)


def test_two_values_tell_their_difference():
    mine, theirs = MANUAL_CBS[0], MANUAL_CBS[0].model_copy(update={"hicredit": 31})
    assert mine.differences(theirs) == ["hicredit: wanted 30, kernel says 31"]
    assert mine.differences(mine) == []
    value = MANUAL_MQPRIO[0]
    assert value.differences(value.model_copy(update={"queues": ["1@0", "1@1", "1@2"]}))[0].startswith("queues: wanted")
    assert Vlan(number=3, egress={6: 6}).differences(Vlan(number=3)) == ["egress: wanted {6: 6}, kernel says {}"]


def test_overlapping_queues_are_refused():
    content = {"map": [0] * 16, "queues": ["2@0", "1@1"], "schedule": [{"gates": "3", "for": "1 ms"}]}
    with pytest.raises(ConfigError, match="1@1 overlaps"):
        check(content, Taprio, "here")


def test_a_mask_for_a_class_that_is_not_there_is_refused():
    content = {"map": [0] * 16, "queues": ["1@0"], "schedule": [{"gates": "2", "for": "1 ms"}]}
    with pytest.raises(ConfigError, match="more than the 1 traffic classes"):
        check(content, Taprio, "here")
