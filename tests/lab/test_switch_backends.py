"""The ways of a Linux switch, on a real kernel: bridge made, frames classified, gates in hardware refused."""

import pytest

import tsnlab
from tsnlab.errors import CommandError
from tsnlab.lab import Switch
from tsnlab.switch import offload, port_gates

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def lab(linux, tmp_path_factory):
    with tsnlab.open_lab("virtual", tmp_path_factory.mktemp("run")) as lab:
        yield lab


@pytest.fixture
def switch_as(lab, monkeypatch):
    """Has the lab file describe the switch otherwise."""

    def set_to(**settings):
        node = lab.spec.nodes["switch"].model_copy(update={"switch": Switch(**settings)})
        spec = lab.spec.model_copy(update={"nodes": {**lab.spec.nodes, "switch": node}})
        monkeypatch.setattr(lab, "spec", spec)

    yield set_to
    lab.undo()


def port(lab, end):
    return lab.spec.port_of(end)


def test_a_port_without_gates_in_hardware_says_so_and_keeps_what_it_had(lab, switch_as):
    switch_as(gates="tc")
    before = lab.host("switch").run(["tc", "qdisc", "show", "dev", "CE03"]).stdout
    with pytest.raises(CommandError, match=r"tc qdisc replace dev CE03 .* flags 0x2.*\n(.*\n)*what to do: "):
        tsnlab.switch.configure(lab, tsnlab.load_case("case3"))
    assert lab.host("switch").run(["tc", "qdisc", "show", "dev", "CE03"]).stdout == before


def test_what_comes_in_is_classified_once_by_its_pcp(lab, switch_as):
    switch_as(gates="tc")
    case = tsnlab.load_case("case3", switch_qbv=False)
    steps = tsnlab.switch.configure(lab, case).steps
    assert steps[-2].after == "PCP 6 is priority 6"
    assert not tsnlab.switch.configure(lab, case).changed
    lab.undo()
    assert offload.classify(lab, port(lab, lab.talker), case).before == "none"


def test_a_schedule_of_another_phase_is_another_schedule():
    wanted = port_gates.of(tsnlab.load_case("case3"))
    listed = [{"cmd": "S", "gatemask": hex(entry.gate_mask), "interval": entry.interval_ns} for entry in wanted.entries]
    options = {"map": wanted.map, "queues": [{"offset": n, "count": 1} for n in range(8)], "flags": "0x2"}
    options |= {"base_time": 4_000_000, "cycle_time": 2_000_000, "cycle_time_extension": 0, "schedule": listed}
    assert offload.differences(wanted, options, 1_588_055_400_000_000_000) == []
    assert offload.differences(wanted, options | {"base_time": 4_000_320}, 0) == ["base time: 320 ns late in the cycle"]


def test_the_bridge_is_made_with_all_ports_and_taken_away_again(lab, switch_as):
    host = lab.host("switch")
    host.run(["ip", "link", "set", "deipce0", "name", "before"])
    try:
        switch_as(network="bridge")
        (step,) = tsnlab.switch.connect(lab).steps
        assert (step.before, step.after) == ("not there", "CE01, CE02, CE03, CE04")
        assert "vlan_filtering 1" in host.run(["ip", "-d", "link", "show", "deipce0"]).stdout
        assert not tsnlab.switch.connect(lab).changed
        lab.undo()
        assert host.run(["ip", "link", "show", "deipce0"], check=False).returncode
    finally:
        for name in ("CE01", "CE02", "CE03", "CE04"):
            host.run(["ip", "link", "set", name, "master", "before"])
        host.run(["ip", "link", "set", "before", "name", "deipce0"])
