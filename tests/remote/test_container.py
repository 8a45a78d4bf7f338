"""Commands in a container of a real dockerd."""

import os
import time

import pytest

from tests.remote import docker as real
from tsnlab.errors import CommandError, DeadlineError
from tsnlab.hosts.container import ContainerHost
from tsnlab.hosts.local import LocalHost

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
