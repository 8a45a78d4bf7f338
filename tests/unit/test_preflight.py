"""Preflight's judgement of what a node says, on answers in the form that the tools give them."""

from dataclasses import replace

import pytest

from tsnlab import preflight
from tsnlab.pci import Device
from tsnlab.preflight import container_host, nic, node
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
    "kata-config": '/etc/kata-containers/configuration.toml\n[hypervisor.qemu]\nmachine_type = "pc"\n',
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


NIC = Device("0000:05:00.0", "8086", "157b", "0x020000", "igb", 16, "", ("enp5s0",))
OTHER = Device("0000:05:00.1", "8086", "1533", "0x020000", "igb", 16, "", ("enp5s1",))


def _of_host(what, devices=(NIC,), passed_in="0000:05:00.0", **answers):
    facts = Facts("node1", (), real=True, answers={**NODE_1, **answers})
    return _finding(container_host.judge(facts, passed_in, devices), what)


@pytest.mark.parametrize(
    ("version", "key"),
    [("kata-runtime : 1.11.0", "hotplug_vfio_on_root_bus"), ("kata-runtime : 3.2.0", "hot_plug_vfio")],
)
def test_katas_version_says_which_key_it_understands(version, key):
    assert key in _of_host("Kata", **{"kata-runtime": version}).seen


def test_what_kata_has_not_been_told_yet_is_named():
    found = _of_host("Kata's configuration")
    assert (found.level, found.remedy) == ("warn", "kata.configure does")
    assert "hotplug_vfio_on_root_bus" in found.seen


def test_a_nic_alone_in_its_group_passes_whatever_it_is_named_by():
    for name in ("0000:05:00.0", "enp5s0", "8086:157b"):
        assert "alone in IOMMU group 16" in _of_host(f"NIC {name} for the guest", passed_in=name).seen


def test_who_else_is_in_the_group_is_named():
    found = _of_host("NIC enp5s0 for the guest", (NIC, OTHER), "enp5s0")
    assert found.level == "fail"
    assert "0000:05:00.1 [8086:1533]" in found.seen
    assert "another slot" in found.remedy


def test_without_an_iommu_the_kernels_parameters_are_the_remedy():
    found = _of_host("NIC enp5s0 for the guest", (replace(NIC, group=None),), "enp5s0")
    assert "intel_iommu=on" in found.remedy


def test_a_nic_that_is_not_there_lists_those_that_are():
    assert "0000:05:00.0" in _of_host("NIC 0000:09:00.0 for the guest", passed_in="0000:09:00.0").seen


@pytest.mark.parametrize(
    ("idle", "level"),
    [("0 0 POLL\n2 0 C1\n10 0 C1E", "pass"), ("2 0 C1\n133 0 C6 deep", "warn"), ("2 0 C1\n133 1 C6", "pass")],
)
def test_deep_c_states_are_named_unless_they_are_off(idle, level):
    found = _finding(node.judge(_facts(idle=idle)), "C-states")
    assert (found.level, "C6 deep (133 us)" in found.seen) == (level, level == "warn")


def test_modules_tell_of_a_kernel_whose_configuration_cannot_be_read():
    found = node.judge(
        _facts(kernel="5.4.0", modules="(builtin)\nsch_taprio\n/x/sch_etf.ko\nsch_etf\nsch_mqprio\n8021q")
    )
    assert _finding(found, "kernel 5.4.0").seen.endswith("modinfo knows no ptp")


def test_the_tai_offsets_of_all_nodes_are_compared():
    hosts = [Facts(name, (), True, {"tai": tai}) for name, tai in (("a", "0"), ("b", "0"), ("c", "37"))]
    assert preflight._together(hosts[:2])[0].level == "pass"
    assert preflight._together(hosts)[0].seen == "0 s: a, b; 37 s: c"


def test_a_question_that_failed_has_no_answer():
    assert parse("== a\none\ntwo\n== b\nbad\n== status 1\n== c\n") == {"a": "one\ntwo", "c": ""}
