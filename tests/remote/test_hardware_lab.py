"""The hardware lab as a file, opened over a real sshd."""

import pytest
import yaml

from tests.remote.conftest import plain_user
from tsnlab import files, links, preflight, qdisc
from tsnlab.case import load_case
from tsnlab.cli import main
from tsnlab.errors import ConfigError, StepError
from tsnlab.hardware import HardwareLab
from tsnlab.hosts.container import ContainerHost
from tsnlab.hosts.ssh import SshHost
from tsnlab.journal import Journal
from tsnlab.lab import LABS, Endpoint, LabFile, load_lab_file
from tsnlab.steps import Doing


def test_the_guides_lab_is_a_valid_file():
    spec = load_lab_file("hardware")
    with HardwareLab(spec) as lab:
        assert isinstance(lab.host("node1"), ContainerHost)
        assert isinstance(lab.host("node2"), SshHost)
        assert "Node 2, Ubuntu (listener)" in str(lab)


@pytest.mark.parametrize(
    ("node", "change", "message"),
    [
        ("node2", {"ssh": None}, "nodes.node2: a node of a hardware lab has either ssh or container"),
        ("host1", {"ssh": "x", "container": {"node": "host1", "passed_in": "x"}}, "either ssh or container"),
        ("node1", {"container": {"node": "nobody", "passed_in": "x"}}, "there is no node 'nobody'"),
    ],
)
def test_a_node_that_is_nowhere_is_named(node, change, message):
    content = yaml.safe_load((LABS / "hardware.yaml").read_text())
    content["nodes"][node] |= change
    with pytest.raises(ConfigError, match=message):
        files.check(content, LabFile, "lab.yaml")


@pytest.fixture
def lab(sshd, tmp_path):
    content = yaml.safe_load((LABS / "hardware.yaml").read_text())
    for node in content["nodes"].values():
        if "ssh" in node:
            node |= {"ssh": f"{plain_user()}@127.0.0.1", "sudo": False}
    spec = files.check(content, LabFile, "lab.yaml")
    with HardwareLab(spec, tmp_path, sshd.config(plain_user())) as lab:
        yield lab


def test_commands_run_and_are_recorded(lab, tmp_path):
    assert lab.host("node2").run(["echo", "hello"]).stdout == "hello\n"
    assert '"node": "node2", "argv": ["echo", "hello"]' in (tmp_path / "transcript.jsonl").read_text()


def test_preflight_looks_at_the_machines_and_at_what_kata_needs(lab):
    found = preflight.check(lab)
    assert {finding.node for finding in found.findings} == {"host1", "node2", "node3", "node4", "switch", "all"}
    looked_at = {finding.what for finding in found.findings if finding.node == "host1"}
    assert looked_at >= {"NIC 0000:05:00.0 for the guest", "Kata", "container engine"}


STEPS = {
    "queues": lambda lab, end: links.queues(lab, end, 99),
    "qdisc": lambda lab, end: qdisc.replace_root(
        lab, Doing(lab.host(end.node)), end, load_case("case2").taprio, "100", {}
    ),
}


@pytest.mark.parametrize("step", STEPS)
def test_the_interface_that_the_connection_came_to_is_left_alone(lab, step):
    before = qdisc.show(lab.host("node2"), "lo")
    with pytest.raises(StepError, match="node2: lo carries the connection to the node"):
        STEPS[step](lab, Endpoint(node="node2", interface="lo"))
    assert len(lab.journal) == 0
    assert qdisc.show(lab.host("node2"), "lo") == before


def test_closing_takes_back_what_was_changed(lab, tmp_path):
    mark = lab.host("node2").run(["mktemp"]).stdout.strip()
    lab.journal.will_change("node2", ["rm", mark])
    lab.close()
    assert lab.host("node3").run(["test", "-e", mark], check=False).returncode == 1
    assert not (tmp_path / "journal.jsonl").exists()


def test_undo_after_a_crash_needs_the_journal_alone(sshd, tmp_path, monkeypatch, capsys):
    content = yaml.safe_load((LABS / "hardware.yaml").read_text())
    content["nodes"]["node2"] |= {"ssh": f"{plain_user()}@127.0.0.1", "sudo": False}
    (tmp_path / "lab.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.setattr(HardwareLab.__init__, "__defaults__", (None, sshd.config(plain_user())))
    Journal(tmp_path / "journal.jsonl").will_change("node2", ["echo", "undone"])
    assert main(["undo", str(tmp_path), "--lab", str(tmp_path / "lab.yaml")]) == 0
    assert capsys.readouterr().out == "1 changes taken back\n"
    assert not (tmp_path / "journal.jsonl").exists()
