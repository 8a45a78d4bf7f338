"""Preflight's judgement of what a node says, on answers in the form that the tools give them."""

import pytest

from tsnlab.preflight import nic, node
from tsnlab.preflight.facts import Facts, parse

STAMPS = """\
Time stamping parameters for enp5s0:
Capabilities:
	hardware-transmit
	software-transmit
	hardware-receive
	software-receive
	software-system-clock
	hardware-raw-clock
{clock}
Hardware Transmit Timestamp Modes:
	off
	on
"""

NODE_1 = {
    "link:enp5s0": "3",
    "driver:enp5s0": "driver: igb\nversion: 5.4.0-k\nbus-info: 0000:05:00.0",
    "stamps:enp5s0": STAMPS.format(clock="PTP Hardware Clock: 1"),
    "queues:enp5s0": "rx-0\nrx-1\nrx-2\nrx-3\ntx-0\ntx-1\ntx-2\ntx-3",
    "id:enp5s0": "0x8086\n0x157b",
    "group:enp5s0": "../../../../kernel/iommu_groups/16",
    "kata-runtime": "kata-runtime  : 1.11.0\n   commit   : abc",
    "docker": "Docker version 19.03.8",
    "tai": "0",
    "user": "0",
}


def _facts(**changed):
    answers = {**NODE_1, **{key.replace("_", ":", 1): value for key, value in changed.items()}}
    return Facts("node1", ("enp5s0",), real=True, answers=answers)


def _finding(findings, what):
    return next(finding for finding in findings if finding.what == what)


@pytest.mark.parametrize("clock", ["PTP Hardware Clock: 1", "Hardware timestamp provider index: 1"])
def test_the_clock_is_found_in_both_forms_of_ethtool(clock):
    findings = nic.judge(_facts(stamps_enp5s0=STAMPS.format(clock=clock)))
    assert _finding(findings, "timestamps of enp5s0").seen == "hardware, with /dev/ptp1"


def test_an_i210_is_known_with_its_queues():
    seen = _finding(nic.judge(_facts()), "interface enp5s0").seen
    assert seen.startswith("Intel I210 (igb), 4 transmit queues; etf offload on queues 0, 1")


def test_an_interface_that_is_not_there_fails():
    facts = Facts("node1", ("eth9",), real=True, answers={})
    assert [finding.level for finding in nic.judge(facts)] == ["fail"]


def test_what_disturbs_the_interface_is_named_with_its_remedy():
    findings = nic.judge(_facts(eee_enp5s0="\tEEE status: enabled - active", managed="enp5s0:connected\nlo:unmanaged"))
    assert _finding(findings, "EEE of enp5s0").remedy == "ethtool --set-eee enp5s0 eee off"
    assert _finding(findings, "NetworkManager and enp5s0").level == "fail"


@pytest.mark.parametrize(("offset", "level"), [("0", "pass"), ("37", "fail")])
def test_the_tai_offset_is_the_guides(offset, level):
    assert _finding(node.judge(_facts(tai=offset)), "TAI offset").level == level


@pytest.mark.parametrize(
    ("version", "key"),
    [("kata-runtime : 1.11.0", "hotplug_vfio_on_root_bus"), ("kata-runtime : 3.2.0", "hot_plug_vfio")],
)
def test_katas_version_says_which_key_it_understands(version, key):
    facts = Facts("node1", (), real=True, answers={**NODE_1, "kata-runtime": version})
    assert key in _finding(node.judge_container_host(facts, "enp5s0"), "Kata").seen


def test_the_iommu_group_of_the_nic():
    assert _finding(node.judge_container_host(_facts(), "enp5s0"), "IOMMU").seen == "enp5s0 is in group 16"
    off = Facts("node1", (), real=True, answers={})
    assert "intel_iommu=on" in _finding(node.judge_container_host(off, "enp5s0"), "IOMMU").remedy


def test_a_question_that_failed_has_no_answer():
    assert parse("== a\none\ntwo\n== b\nbad\n== status 1\n== c\n") == {"a": "one\ntwo", "c": ""}
