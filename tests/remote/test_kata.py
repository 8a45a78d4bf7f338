"""Kata configured on a file of this machine, and the guide's container started by a real dockerd.

There is no Kata here: a runtime of its name that is runc, and a program that tells a version, stand for it; the command
line, what docker makes of it, and the configuration file are as on Node 1.
"""

import json
import shutil
from types import SimpleNamespace

import pytest

from tests.remote import docker as real
from tsnlab import kata, kata_config
from tsnlab.errors import StepError
from tsnlab.hosts.local import LocalHost
from tsnlab.journal import Journal
from tsnlab.kata import Container

CONFIG = '[hypervisor.qemu]\nmachine_type = "pc"\n#hotplug_vfio_on_root_bus = true\n'


@pytest.fixture
def lab():
    host = LocalHost("node1")
    return SimpleNamespace(journal=Journal(None), host=lambda node: host)


@pytest.fixture(scope="module")
def docker(tmp_path_factory):
    if reason := real.missing():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("docker")
    daemon = real.Docker(folder, "--add-runtime", f"kata-runtime={shutil.which('runc', path='/usr/sbin:/usr/bin')}")
    if not daemon.ready():
        pytest.skip(f"dockerd does not start here: {(folder / 'dockerd.log').read_text()[-500:]}")
    daemon.import_image(folder)
    yield daemon
    daemon.stop()


@pytest.fixture
def engine(docker, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", docker.address)
    return docker


def test_the_configuration_is_changed_shown_and_restored(lab, tmp_path, monkeypatch):
    path = tmp_path / "configuration.toml"
    path.write_text(CONFIG)
    runtime = tmp_path / "kata-runtime"
    runtime.write_text("#!/bin/sh\necho 'kata-runtime  : 1.11.0'\n")
    runtime.chmod(0o755)
    monkeypatch.setattr(kata, "_RUNTIMES", (str(runtime),))
    monkeypatch.setattr(kata_config, "FILES", (str(tmp_path / "none"), str(path)))
    steps = kata.configure(lab, "node1")
    assert "+hotplug_vfio_on_root_bus = true" in str(steps)
    assert not kata.configure(lab, "node1").changed
    lab.journal.unwind(lab.host)
    assert path.read_text() == CONFIG
    assert sorted(file.name for file in tmp_path.iterdir()) == ["configuration.toml", "kata-runtime"]


def test_without_kata_it_is_said(lab, monkeypatch):
    monkeypatch.setattr(kata, "_RUNTIMES", ("/nowhere/kata-runtime",))
    with pytest.raises(StepError, match="node1: Kata is not installed"):
        kata.configure(lab, "node1")


def test_the_guides_container_is_started_used_and_removed(lab, engine):
    container = Container("/dev/null")
    assert kata.launch(lab, "node1", container).changed
    assert not kata.launch(lab, "node1", container).changed
    assert kata.guest(lab, "node1", container).run(["echo", "hello"]).stdout == "hello\n"
    config = json.loads(engine("inspect", "tsn").stdout)[0]["HostConfig"]
    assert config["Runtime"] == "kata-runtime"
    assert config["Binds"] == ["/dev:/dev"]
    assert {name.removeprefix("CAP_") for name in config["CapAdd"]} == set(kata.CAPABILITIES)
    assert config["Devices"][0]["PathOnHost"] == "/dev/null"
    assert config["NanoCpus"] == 2_000_000_000
    lab.journal.unwind(lab.host)
    assert engine("ps", "--all", "--quiet").stdout == b""


@pytest.mark.parametrize(
    ("container", "message"),
    [
        (Container("/dev/null", runtime="kata-nothing"), "register Kata as a runtime"),
        (Container("/dev/null", image="kata_nothing"), "build the guide's image"),
    ],
)
def test_what_does_not_start_says_why(lab, engine, container, message):
    with pytest.raises(StepError, match=message):
        kata.launch(lab, "node1", container)
    lab.journal.unwind(lab.host)
