"""Dry runs: what is gathered, what it is gathered from, and that an open lab is as before afterwards."""

import shlex

import pytest

import tsnlab
from tsnlab import links, ntp, qdisc, rehearsal, switch
from tsnlab.case import load_case
from tsnlab.cli import main
from tsnlab.errors import ConfigError
from tsnlab.hardware import HardwareLab
from tsnlab.hosts.planned import EndOfPlan
from tsnlab.hosts.ssh import SshHost
from tsnlab.lab import load_lab_file
from tsnlab.plan import PlannedLab


@pytest.fixture
def lab():
    # its nodes cannot be reached from here: whoever connects fails
    with HardwareLab(load_lab_file("hardware")) as lab:
        yield lab


def test_steps_are_gathered_without_a_connection(lab):
    case = load_case("case2")
    with lab.dry_run() as plan:
        assert links.up(lab).changed
        assert links.vlan(lab, case).changed
        assert links.channels(lab, case).changed
    assert plan.commands("node1") == [
        "ip link set eth1 up",
        "ip link add link eth1 name eth1.3 type vlan id 3 egress-qos-map 6:6",
        "ip link set eth1.3 up",
        "ethtool -L eth1 combined 4",
    ]
    assert "node2$ ip link add link enp5s0 name enp5s0.3 type vlan id 3" in str(plan)


def test_time_servers_are_planned_in_the_file_of_what_asks_them(lab):
    with lab.dry_run() as plan:
        steps = ntp.configure(lab, ["10.0.0.1"])
        assert not ntp.configure(lab, ["10.0.0.1"]).changed
    assert [step.node for step in steps.steps] == ["switch", "host1", "node2"]
    assert plan.commands("switch")[-1] == "systemctl restart chronyd"
    assert plan.commands("node2") == ["systemctl stop systemd-timesyncd"]


def test_a_step_that_was_planned_is_not_planned_twice(lab):
    with lab.dry_run() as plan:
        assert switch.configure(lab, load_case("case3")).changed
        count = len(plan.entries)
        assert not switch.configure(lab, load_case("case3")).changed
        assert len(plan.entries) == count


def test_afterwards_the_lab_has_its_own_nodes_and_nothing_to_undo(lab):
    with lab.dry_run() as plan:
        links.up(lab)
        assert len(plan.journal) == 2
    assert isinstance(lab.host("node2"), SshHost)
    assert len(lab.journal) == 0


def test_the_undo_is_part_of_the_plan(lab):
    with lab.dry_run() as plan:
        links.up(lab)
    assert str(plan).endswith("node2$ ip link set enp5s0 down\nnode1$ ip link set eth1 down")


def test_qdiscs_are_read_back_as_they_were_asked_for(lab):
    with lab.dry_run() as plan:
        links.up(lab)
        links.channels(lab, load_case("case2"))
        steps = qdisc.apply(lab, load_case("case2"))
        assert not qdisc.apply(lab, load_case("case2")).changed
    assert steps.steps[0].after == "taprio 100:, etf on 100:2, delta 5000000 ns"
    (taprio,) = [c for c in plan.commands("node1") if " taprio " in c]
    assert taprio.endswith("sched-entry S 08 100000 clockid CLOCK_TAI")
    assert not [c for c in plan.commands("node1") if c.startswith("sleep")]  # the link is there at once


def test_the_same_steps_are_planned_for_the_virtual_lab():
    lab = PlannedLab(load_lab_file("virtual"))
    assert not links.up(lab).changed
    assert links.vlan(lab, load_case("case1")).changed
    assert lab.now_ns() == lab.spec.start_ns


def test_what_depends_on_a_measurement_ends_the_plan():
    lab = PlannedLab(load_lab_file("hardware"))
    process = lab.host("node3").start(["iperf3", "-c", "192.168.1.4"])
    assert process.returncode is None
    with pytest.raises(EndOfPlan, match="what iperf3 on node3 measures"):
        process.wait(10)
    process.stop()
    assert [entry.kind for entry in lab.plan.entries] == ["start", "stop"]


def test_an_unknown_command_counts_as_a_change():
    lab = PlannedLab(load_lab_file("hardware"))
    lab.host("node2").run(["frobnicate", "--all"])
    lab.host("node2").run(["uname", "-r"])
    assert lab.plan.commands() == ["frobnicate --all"]


@pytest.mark.parametrize("lab_file", ["hardware", "virtual"])
@pytest.mark.parametrize("case", ["case1", "case2", "case3"])
def test_the_cases_are_planned_up_to_their_measurement(case, lab_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = rehearsal.rehearse(case, lab_file)
    assert "measures" in plan.ended
    commands = plan.commands()
    assert any("talker.py" in command for command in commands)
    assert any(shlex.split(command)[0].endswith("ptp4l") for command in commands)
    assert ("etf" in str(plan)) == (case != "case1")
    assert list(tmp_path.iterdir()) == []


def test_tsnlab_plan_prints_it(capsys):
    assert main(["plan", "case3", "--lab", "hardware", "-p", "offset_us", "60"]) == 0
    out = capsys.readouterr().out
    assert "## Switch\n" in out
    assert "switch$ tsntool st configure " in out
    assert "--offset=1260000" in out


def test_a_notebook_without_a_lab_has_no_plan(tmp_path):
    import nbformat
    from nbformat import v4

    about = {"kernelspec": {"name": "python3", "display_name": ""}, "language_info": {"name": "python"}}
    cells = [v4.new_code_cell("lab_file: str = 'virtual'  # lab", metadata={"tags": ["parameters"]})]
    nbformat.write(
        v4.new_notebook(cells=cells, metadata=about),
        tmp_path / "empty.ipynb",
    )
    with pytest.raises(ConfigError, match="opens no lab"):
        rehearsal.rehearse(str(tmp_path / "empty.ipynb"), "virtual")


def test_tsnlab_plan_leaves_open_lab_as_it_was():
    before = tsnlab.open_lab
    rehearsal.rehearse("case1", "hardware")
    assert tsnlab.open_lab is before
