"""Commands in a container of a real dockerd."""

import json
import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.remote import docker as real
from tsnlab import programs
from tsnlab.errors import CommandError, DeadlineError, StepError
from tsnlab.hosts.container import ContainerHost
from tsnlab.hosts.local import LocalHost
from tsnlab.journal import Journal

PYTHON = Path("/usr/bin/python3")

AWKWARD = ["a b", "$HOME", "it's", '"', "`id`", "", "\\", "-n", "ü"]


@pytest.fixture(scope="module")
def docker(tmp_path_factory):
    if reason := real.missing():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("docker")
    daemon = real.Docker(folder)
    if not daemon.ready():
        pytest.skip(f"dockerd does not start here: {(folder / 'dockerd.log').read_text()[-500:]}")
    daemon.import_image(folder)
    daemon("run", "--detach", "--network", "none", "--name", "tsn", "kata_tsn_image", "sleep", "1000")
    yield daemon
    daemon("kill", "tsn", check=False)
    daemon.stop()


@pytest.fixture
def container(docker, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", docker.address)
    return ContainerHost("node1", LocalHost("outer"), "docker", "tsn")


def _running(container, command):
    return [line for line in container.run(["ps", "-o", "args"]).stdout.splitlines() if line == command]


def test_arguments_arrive_as_they_were_given(container):
    result = container.run(["printf", "<%s>", *AWKWARD])
    assert (result.host, result.argv[0]) == ("node1", "printf")
    assert result.stdout == "".join(f"<{word}>" for word in AWKWARD)


def test_a_failure_names_the_command_in_the_container(container):
    with pytest.raises(CommandError, match="node1: `cat /nowhere` failed with status 1"):
        container.run(["cat", "/nowhere"])


def test_a_container_that_is_gone_is_said(container):
    gone = ContainerHost("node1", LocalHost("outer"), "docker", "gone")
    with pytest.raises(CommandError, match=r"No such container: gone\n.*start it again"):
        gone.run(["true"])


def test_files_go_both_ways_whole(container, tmp_path):
    content = os.urandom(150_000)
    (tmp_path / "there").write_bytes(content)
    container.put(tmp_path / "there", "/tmp/file")
    container.get("/tmp/file", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == content
    container.write_text("/tmp/file", "ü\n")
    assert container.read_text("/tmp/file") == "ü\n"


def test_a_background_process_is_ended_in_the_container(container):
    lines = []
    process = container.start(["sh", "-c", "echo one; sleep 4250"], lines.append)
    end = time.monotonic() + 10
    while not lines and time.monotonic() < end:
        assert process.returncode is None
        time.sleep(0.01)
    assert lines == ["one"]
    process.stop()
    assert _running(container, "sleep 4250") == []


def test_its_exit_status_is_the_commands(container):
    assert container.start(["sh", "-c", "exit 7"]).wait(10).returncode == 7


def test_one_that_goes_on_is_told(container):
    process = container.start(["sleep", "4251"])
    with pytest.raises(DeadlineError, match="sleep 4251"):
        process.wait(0.5)
    process.stop()
    assert _running(container, "sleep 4251") == []


@pytest.fixture
def lab(docker, container):
    """A container that has a Python of its own: that of the machine's distribution, whose files it is given."""
    if not PYTHON.exists():
        pytest.skip(f"no {PYTHON} here: apt-get install python3")
    seen = [f"--volume={folder.resolve()}:{folder}:ro" for folder in map(Path, ("/usr", "/lib", "/lib64"))]
    docker("run", "--detach", "--network", "none", "--name", "snake", *seen, "kata_tsn_image", "sleep", "1000")
    host = ContainerHost("node1", LocalHost("outer"), "docker", "snake")
    yield SimpleNamespace(host=lambda _: host, journal=Journal(None), programs={})
    docker("rm", "--force", "snake")


def test_frames_are_sent_and_received_by_programs_that_were_brought_into_it(lab):
    listener, talker = (programs.command(lab, "node1", name) for name in ("listener.py", "talker.py"))
    assert listener[0] == "python3"
    node = lab.host("node1")
    node.run(["ip", "link", "set", "lo", "up"], check=False)
    records = []
    listening = node.start([*listener, "lo", "--no-hardware"], lambda line: records.append(json.loads(line)))
    end = time.monotonic() + 20
    while not records and listening.returncode is None and time.monotonic() < end:
        time.sleep(0.05)
    macs = ["--source=02:00:00:00:00:01", "--destination=02:00:00:00:00:02"]
    sent = node.run([*talker, "lo", *macs, "--base=0", "--cycle=2000000", "--count=20"])
    assert json.loads(sent.stdout.splitlines()[-1])["sent"] == 20
    listening.wait(30).check()
    assert records[0]["timestamps"] == "kernel"
    assert [packet[1] for record in records for packet in record.get("packets", ())] == list(range(1, 21))
    lab.journal.unwind(lab.host)
    assert node.run(["sh", "-c", 'ls "$HOME"/.tsnlab-*'], check=False).returncode != 0


def test_a_container_without_python_is_told(container):
    lab = SimpleNamespace(host=lambda _: container, programs={})
    with pytest.raises(StepError, match=r"node1: has no Python; the programs need 3\.8 or later"):
        programs.command(lab, "node1", "talker.py")
