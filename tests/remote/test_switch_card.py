"""802.1Qbv on the guide's card: the files that its driver has, written and read by real shells."""

from types import SimpleNamespace

import pytest

from tests.remote import card as real
from tsnlab.case import load_case
from tsnlab.errors import CommandError, StepError
from tsnlab.journal import Journal
from tsnlab.lab import Endpoint
from tsnlab.switch import card, port_gates, ports

PORT = Endpoint(node="switch", interface="CE03")
REFERENCE_NS = 1_588_055_400_000_000_000


@pytest.fixture
def host(tmp_path):
    if reason := real.missing():
        pytest.skip(reason)
    found = real.CardHost(tmp_path)
    yield found
    found.end()


@pytest.fixture
def lab(host):
    return SimpleNamespace(journal=Journal(None), reference_ns=REFERENCE_NS, host=lambda node: host)


def gates(**parameters):
    return port_gates.of(load_case("case3", **parameters))


@pytest.mark.parametrize("way", ["sysfs", "tsntool"])
def test_the_port_carries_out_the_cases_schedule_in_phase_with_the_lab(lab, host, way):
    step = card.gates(lab, PORT, gates(), way)
    assert (step.before, step.changed) == ("gates open", True)
    state = ports.read(host, "CE03")
    assert state.enabled
    assert state.cycle_ns == 2_000_000
    assert [(e.gate_mask, e.interval_ns) for e in state.running] == [
        (0xBF, 524_160), (0xBF, 524_160), (0xBF, 186_560), (0x40, 30_400), (0xBF, 524_160), (0xBF, 210_560)
    ]  # fmt: skip
    assert (state.base_ns - REFERENCE_NS) % 2_000_000 == 0
    assert 2_000_000_000 <= state.base_ns - state.now_ns < 2_002_000_000


@pytest.mark.parametrize("way", ["sysfs", "tsntool"])
def test_nothing_is_done_twice_and_the_undo_opens_the_gates(lab, host, way):
    assert card.gates(lab, PORT, gates(), way).changed
    assert not card.gates(lab, PORT, gates(), way).changed
    lab.journal.unwind(lab.host)
    assert not ports.read(host, "CE03").enabled


@pytest.mark.parametrize("way", ["sysfs", "tsntool"])
def test_a_schedule_that_was_there_comes_back(lab, host, way):
    card.gates(lab, PORT, gates(offset_us=80), way)
    before = ports.read(host, "CE03")
    later = SimpleNamespace(journal=Journal(None), reference_ns=REFERENCE_NS, host=lab.host)
    card.gates(later, PORT, gates(), way)
    assert ports.read(host, "CE03").running != before.running
    later.journal.unwind(lab.host)
    assert ports.read(host, "CE03") == before


@pytest.mark.parametrize("way", ["sysfs", "tsntool"])
def test_without_802_1qbv_the_gates_are_open(lab, host, way):
    card.gates(lab, PORT, gates(), way)
    step = card.gates(lab, PORT, gates(switch_qbv=False), way)
    assert step.after == "gates open"


def test_a_command_shows_exactly_what_was_written(lab):
    commands = card.gates(lab, PORT, gates(), "sysfs").commands
    assert "\\200\\377\\007\\000\\000\\277\\000\\000" in commands[0]
    assert "echo 1/500 > /sys/class/net/CE03/ieee8021ST/AdminCycleTime" in commands[2]


def test_the_pcp_goes_to_the_class_of_its_number_and_back(lab, host):
    case = load_case("case3")
    step = card.classify(lab, PORT, case)
    assert (step.before, step.after) == ("7", "6")
    assert not card.classify(lab, PORT, case).changed
    lab.journal.unwind(lab.host)
    assert card.classify(lab, PORT, case).before == "7"


def test_another_driver_is_told_of(lab):
    with pytest.raises(StepError, match=r"CE09 has no gates that its driver tells of.*\n.*switch\.gates"):
        card.gates(lab, Endpoint(node="switch", interface="CE09"), gates(), "sysfs")


def test_another_tsntool_is_told_of(lab, host):
    host.run(["sh", "-c", "printf '#!/bin/sh\\necho tsn: usage\\n' >/usr/local/sbin/tsntool"])
    with pytest.raises(StepError, match=r"NXP has another one of that name.*\n.*tsn: usage"):
        card.classify(lab, PORT, load_case("case3"))


def test_what_the_tool_refuses_is_an_error_with_its_words(lab, host):
    host.run(["sh", "-c", "echo 10 >/sys/class/net/CE03/ieee8021ST/TickGranularity"])
    with pytest.raises(CommandError, match="driver reported 22"):
        card.gates(lab, PORT, gates(), "tsntool")
