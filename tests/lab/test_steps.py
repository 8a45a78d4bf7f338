"""The guide's steps on the virtual lab: read, changed, read back, undone."""

import json

import pytest

import tsnlab
from tsnlab.errors import CommandError, DeadlineError

pytestmark = pytest.mark.lab


def test_the_lab_has_the_guides_interfaces_and_no_others(lab):
    expected = {"node1": {"eth1"}, "node2": {"enp5s0"}, "switch": {"deipce0", "CE01", "CE02", "CE03", "CE04"}}
    for node, interfaces in expected.items():
        links = json.loads(lab.host(node).run(["ip", "-j", "link"]).stdout)
        assert {link["ifname"] for link in links} - {"lo"} == interfaces


def test_a_frame_crosses_the_switch_and_takes_the_time_of_two_cables(lab):
    reply = lab.host("node1").run(["ping", "-c", "3", "-i", "0.2", "192.168.1.2"], check=False)
    if reply.returncode == 127:
        pytest.skip("ping is not installed here")
    assert "3 received" in reply.stdout


def test_links_are_as_fast_as_the_lab_file_says(lab):
    assert "Speed: 1000Mb/s" in lab.host("switch").run(["ethtool", "CE03"]).stdout


def test_every_step_does_nothing_when_it_is_taken_again(lab, short):
    case = short("case3")

    def changes():
        steps = (
            tsnlab.links.up(lab),
            tsnlab.links.vlan(lab, case),
            tsnlab.links.channels(lab, case),
            tsnlab.qdisc.apply(lab, case),
            tsnlab.switch.configure(lab, case),
        )
        return [step.title for step in steps if step.changed]

    assert changes() == ["VLAN 3", "taprio and etf", "Switch"]
    assert changes() == []


def test_undo_takes_everything_back(lab, short):
    case = short("case3")
    node1, switch = lab.host("node1"), lab.host("switch")

    def state():
        return (
            node1.run(["tc", "qdisc", "show", "dev", "eth1"]).stdout,
            node1.run(["ip", "-br", "link"]).stdout,
            switch.run(["bridge", "vlan"]).stdout,
            switch.run(["tc", "qdisc", "show", "dev", "CE03"]).stdout,
        )

    lab.wait(lambda: False, "carriers to be shown", lab_seconds=2)
    before = state()
    tsnlab.links.vlan(lab, case)
    tsnlab.qdisc.apply(lab, case)
    tsnlab.switch.configure(lab, case)
    assert state() != before
    assert (lab.folder / "journal.jsonl").exists()
    lab.undo()
    assert state() == before
    assert not (lab.folder / "journal.jsonl").exists()


def test_undo_ends_the_synchronisation_and_takes_its_files_away(lab):
    node2 = lab.host("node2")

    def state():
        return node2.run(["sh", "-c", "ls /run; ps -A -o comm= | grep -E 'ptp4l|phc2sys'"], check=False).stdout

    before = state()
    tsnlab.ptp.launch(lab)
    assert "ptp4l-node2.cfg" in state()
    assert "phc2sys\n" in state()
    lab.undo()
    assert state() == before


def test_turning_qbv_off_takes_the_gates_away_and_keeps_the_classes(lab, short):
    tsnlab.switch.configure(lab, short("case3"))
    step = tsnlab.switch.configure(lab, short("case3", switch_qbv=False)).steps[-1]
    assert (step.before, step.after) == ("taprio 200:", "the kernel's default")


def test_what_the_kernel_refuses_names_node_and_command(lab):
    with pytest.raises(CommandError, match=r"node1: `tc qdisc add dev eth1 root nonsense` failed"):
        lab.host("node1").run(["tc", "qdisc", "add", "dev", "eth1", "root", "nonsense"])


def test_a_command_that_outlives_its_deadline_is_killed_and_the_lab_goes_on(lab):
    with pytest.raises(DeadlineError, match="no end of `sleep 1000000000`"):
        lab.host("node1").run(["sleep", "1000000000"], timeout=0.5)
    lab.host("node1").run(["true"])
    assert "sleep" not in lab.host("node1").run(["sh", "-c", "cat /proc/[0-9]*/comm"]).stdout.split()


def test_every_command_is_in_the_transcript(lab):
    lab.host("node2").run(["true"])
    lab.host("node2").run(["sh", "-c", "echo oh >&2; exit 3"], check=False)
    records = [json.loads(line) for line in (lab.folder / "transcript.jsonl").read_text().splitlines()]
    assert records[-2]["argv"] == ["true"]
    assert records[-1] | {"started": "", "seconds": 0, "lab_time_ns": 0} == {
        "started": "", "lab_time_ns": 0, "node": "node2", "argv": ["sh", "-c", "echo oh >&2; exit 3"],
        "returncode": 3, "seconds": 0, "stderr": "oh\n",
    }  # fmt: skip


def test_files_of_a_node_are_its_own(lab):
    lab.host("node1").write_text("/run/note", "one\n")
    lab.host("node2").write_text("/run/note", "two\n")
    assert lab.host("node1").read_text("/run/note") == "one\n"
