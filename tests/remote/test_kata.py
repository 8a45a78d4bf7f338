"""Kata configured on a file of this machine, and the guide's container started by a real dockerd.

There is no Kata here: a runtime of its name that is runc, and a program that tells a version, stand for it; the command
line, what docker makes of it, and the configuration file are as on Node 1.
"""

import json
import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.remote import docker as real
from tests.remote.conftest import start_server
from tsnlab import kata
from tsnlab.errors import CommandError, HostError, StepError
from tsnlab.hosts.local import LocalHost
from tsnlab.journal import Journal
from tsnlab.kata import Container

CONFIG = '[hypervisor.qemu]\nmachine_type = "pc"\n#hotplug_vfio_on_root_bus = true\n'
KATA_3 = '[hypervisor.qemu]\nmachine_type = "q35"\nhot_plug_vfio = "no-port"\ncold_plug_vfio = "no-port"\n'


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
def installed(tmp_path, monkeypatch):
    """Kata of a version, as far as its configuration goes: `installed("3.2.0", text)` gives the file's path."""

    def install(said: str, text: str, folder=tmp_path):
        path, runtime = folder / "configuration.toml", folder / "kata-runtime"
        path.write_text(text)
        runtime.write_text(f"#!/bin/sh\ncase $1 in --version) echo '{said}';; --show-*) echo /no/where {path};; esac\n")
        runtime.chmod(0o755)
        monkeypatch.setattr(kata, "_RUNTIMES", (str(runtime),))
        return path

    return install


@pytest.fixture
def engine(docker, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", docker.address)
    return docker


def test_the_configuration_is_changed_shown_and_restored(lab, tmp_path, installed):
    path = installed("kata-runtime  : 1.11.0", CONFIG)
    steps = kata.configure(lab, "node1")
    assert "+hotplug_vfio_on_root_bus = true" in str(steps)
    assert not kata.configure(lab, "node1").changed
    lab.journal.unwind(lab.host)
    assert path.read_text() == CONFIG
    assert sorted(file.name for file in tmp_path.iterdir()) == ["configuration.toml", "kata-runtime"]


def test_since_kata_3_a_file_of_our_own_overrides_what_it_reads(lab, tmp_path, installed):
    path = installed("kata-runtime  : 3.2.0", KATA_3)
    (tmp_path / "config.d").mkdir()
    (tmp_path / "config.d/50-theirs.toml").write_text('[hypervisor.qemu]\nhot_plug_vfio = "root-port"\n')
    steps = kata.configure(lab, "node1")
    assert 'hot_plug_vfio = "bridge-port"' in str(steps)
    assert path.read_text() == KATA_3
    assert not kata.configure(lab, "node1").changed
    lab.journal.unwind(lab.host)
    assert [file.name for file in (tmp_path / "config.d").iterdir()] == ["50-theirs.toml"]


def test_what_comes_after_our_file_is_named(lab, tmp_path, installed):
    installed("kata-runtime  : 3.2.0", KATA_3)
    (tmp_path / "config.d").mkdir()
    (tmp_path / "config.d/zzz.toml").write_text('[hypervisor.qemu]\nhot_plug_vfio = "root-port"\n')
    with pytest.raises(StepError, match=r"node1: overridden again: hot_plug_vfio by \S+/config.d/zzz.toml"):
        kata.configure(lab, "node1")


def test_a_version_that_is_none_is_named_with_the_program(lab, installed):
    installed("no idea", CONFIG)
    with pytest.raises(StepError, match=r"node1: `\S+/kata-runtime --version`: no version of Kata in 'no idea"):
        kata.configure(lab, "node1")


def test_a_full_disk_is_named_and_the_configuration_is_as_it_was(lab, installed, small_disk):
    path = installed("kata-runtime  : 1.11.0", CONFIG, small_disk)
    with suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(1 << 16))
    with pytest.raises(CommandError, match="No space left on device"):
        kata.configure(lab, "node1")
    lab.journal.unwind(lab.host)
    assert path.read_text() == CONFIG


@pytest.fixture
def open_folder():
    """One that every user may write to."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


def test_a_node_that_goes_down_in_the_middle_is_restored_when_it_is_up_again(
    own_sshd, connect, installed, open_folder, tmp_path, monkeypatch
):
    path = installed("kata-runtime  : 1.11.0", CONFIG, open_folder)
    nodes = {"node1": connect(own_sshd)}
    lab = SimpleNamespace(journal=Journal(tmp_path / "journal.jsonl"), host=nodes.get)
    written = nodes["node1"].write_text

    def goes_down(*argv):
        for pid in own_sshd.sessions():
            os.kill(pid, signal.SIGKILL)
        own_sshd.stop()
        written(*argv)

    monkeypatch.setattr(nodes["node1"], "write_text", goes_down)
    with pytest.raises(HostError, match="node"):
        kata.configure(lab, "node1")
    with pytest.raises(HostError):
        lab.journal.unwind(lab.host)
    again = start_server(tmp_path / "again")
    try:
        path.write_text("half of it")
        nodes["node1"] = connect(again)
        Journal.read(tmp_path / "journal.jsonl").unwind(lab.host)
    finally:
        again.stop()
    assert path.read_text() == CONFIG


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
        (Container("/dev/null", runtime="kata-nothing"), r"kata\.register tells the engine"),
        (Container("/dev/null", image="kata_nothing"), r"image\.build makes the guide's image"),
        (Container("/dev/vfio/4711"), r"bind the NIC \(vfio\.bind\)"),
    ],
)
def test_what_does_not_start_says_why(lab, engine, container, message):
    with pytest.raises(StepError, match=message):
        kata.launch(lab, "node1", container)
    lab.journal.unwind(lab.host)


def test_a_container_that_ends_at_once_is_no_container(lab, engine, tmp_path):
    engine.import_image(tmp_path, "kata_ends", bash="exit 3")
    with pytest.raises(StepError, match=r"node1: the container tsn ended at once"):
        kata.launch(lab, "node1", Container("/dev/null", image="kata_ends"))
    lab.journal.unwind(lab.host)


def test_without_an_engine_it_is_said(lab, monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    if shutil.which("nerdctl"):
        pytest.skip("nerdctl is here")
    with pytest.raises(StepError, match=r"(?s)node1: there is no nerdctl.*name another `engine`"):
        kata.launch(lab, "node1", Container("/dev/null", engine="nerdctl"))


def test_an_engine_that_does_not_run_is_named(lab, engine, monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody")
    with pytest.raises(StepError, match=r"node1: docker: Cannot connect.*\n.*systemctl start docker"):
        kata.launch(lab, "node1", Container("/dev/null"))


class _WithNetwork(LocalHost):
    """This machine with a network for containers that CNI is content with: a plugin that does nothing."""

    def _open(self, argv):
        folder = "mount -t tmpfs none"
        script = f"mkdir -p /etc/cni /opt/cni; {folder} /etc/cni; {folder} /opt/cni; mkdir /etc/cni/net.d /opt/cni/bin;"
        script += """printf '{"cniVersion": "0.4.0", "name": "none", "type": "none"}' >/etc/cni/net.d/none.conf;"""
        script += """printf '#!/bin/sh\necho "{\\"cniVersion\\": \\"0.4.0\\"}"\n' >/opt/cni/bin/none;"""
        script += """cp /opt/cni/bin/none /opt/cni/bin/loopback; chmod +x /opt/cni/bin/*; exec "$@" """
        return super()._open(["unshare", "--mount", "sh", "-c", script, "sh", *argv])


@pytest.fixture
def containerd(engine, monkeypatch):
    """The containerd of the engine, with the guide's image."""
    if shutil.which("ctr") is None:
        pytest.skip("no ctr here: apt-get install --no-install-recommends containerd")
    monkeypatch.setenv("CONTAINERD_ADDRESS", str(engine.folder / "exec/containerd/containerd.sock"))
    monkeypatch.setenv("CONTAINERD_NAMESPACE", "tsnlab")
    image = engine("save", "kata_tsn_image").stdout
    subprocess.run(["ctr", "images", "import", "-"], input=image, check=True, stdout=subprocess.DEVNULL)
    image = "docker.io/library/kata_tsn_image:latest"
    return Container("/dev/null", image, engine="ctr", runtime="io.containerd.runc.v2")


def test_ctr_starts_it_by_a_real_containerd(containerd):
    host = _WithNetwork("node1")
    lab = SimpleNamespace(journal=Journal(None), host=lambda node: host)
    assert kata.launch(lab, "node1", containerd).changed
    assert not kata.launch(lab, "node1", containerd).changed
    assert kata.guest(lab, "node1", containerd).run(["echo", "hello"]).stdout == "hello\n"
    lab.journal.unwind(lab.host)
    assert "tsn" not in host.run(["ctr", "tasks", "ls", "-q"]).stdout.split()
    assert "tsn" not in host.run(["ctr", "containers", "ls", "-q"]).stdout.split()


def test_without_a_network_for_containers_ctr_says_what_is_missing(lab, containerd):
    with pytest.raises(StepError, match="what to do: install the CNI plugins"):
        kata.launch(lab, "node1", containerd)
    lab.journal.unwind(lab.host)
