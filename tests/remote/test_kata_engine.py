"""Docker and containerd told of Kata, on a real dockerd and a real containerd.

There is no systemd here: a program of the name `systemctl` starts the real dockerd with what the drop-in says, or as it
is, which then reads its own file. runc stands for Kata's runtime, as a link at the place that the guide names.
"""

import json
import os
import shutil
import subprocess
from types import SimpleNamespace

import pytest

from tests.remote import docker as real
from tests.remote.mortal import WITH_US
from tsnlab import kata, kata_engine
from tsnlab.errors import CommandError, ConfigError, StepError
from tsnlab.hosts.local import LocalHost
from tsnlab.journal import Journal

_SYSTEMCTL = """\
#!/bin/sh
echo "$*" >>{folder}/asked
[ "$*" = "restart docker" ] || exit 0
echo "$*" >{folder}/order
exit "$(cat {folder}/result)"
"""

# the parent of dockerd, as systemd is elsewhere: what is asked for comes by one pipe, how it went goes by another
_SERVICE = """\
cd {folder}
while read -r order <order; do
  if [ -n "$daemon" ]; then kill $daemon; wait $daemon; fi
  line=$(sed -n 's/^ExecStart=\\(.*dockerd.*\\)/\\1/p' dropin.conf 2>/dev/null)
  set -- ${{line:-dockerd}}
  shift
  {with_us} {dockerd} "$@" {options} --config-file daemon.json >>dockerd.log 2>&1 &
  daemon=$! result=1
  while kill -0 $daemon 2>/dev/null; do
    if docker version >/dev/null 2>&1; then result=0; break; fi
    sleep 0.1
  done
  echo $result >result
done
"""


@pytest.fixture
def lab():
    host = LocalHost("node1")
    return SimpleNamespace(journal=Journal(None), host=lambda node: host)


@pytest.fixture
def docker(tmp_path, monkeypatch):
    """A folder of a real dockerd that `systemctl` starts, with the guide's files in it."""
    if reason := real.missing():
        pytest.skip(reason)
    tools = tmp_path / "tools"
    tools.mkdir()
    address = f"unix://{tmp_path}/docker.sock"
    options = f"--iptables=false --ip6tables=false --bridge=none --storage-driver=vfs -H {address}"
    options += f" --data-root {tmp_path}/data --exec-root {tmp_path}/exec --pidfile {tmp_path}/pid"
    (tools / "systemctl").write_text(_SYSTEMCTL.format(folder=tmp_path))
    (tools / "systemctl").chmod(0o755)
    (tmp_path / "daemon.json").write_text("{}\n")
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setenv("DOCKER_HOST", address)
    monkeypatch.setattr(kata_engine, "DROP_IN", str(tmp_path / "dropin.conf"))
    monkeypatch.setattr(kata_engine, "DAEMON_JSON", str(tmp_path / "daemon.json"))
    os.mkfifo(tmp_path / "order")
    os.mkfifo(tmp_path / "result")
    script = _SERVICE.format(folder=tmp_path, dockerd=real.DOCKERD, options=options, with_us=" ".join(WITH_US))
    service = subprocess.Popen([*WITH_US, "sh", "-c", script])
    if subprocess.run([tools / "systemctl", "restart", "docker"], check=False).returncode:
        service.kill()
        pytest.skip(f"dockerd does not start here: {(tmp_path / 'dockerd.log').read_text()[-500:]}")
    (tmp_path / "asked").unlink()
    yield tmp_path
    service.kill()
    service.wait()


def test_the_guides_drop_in_registers_kata_and_is_taken_back(lab, docker):
    steps = kata.register(lab, "node1")
    assert "ExecStart=/usr/bin/dockerd -D --add-runtime kata-runtime=/usr/bin/kata-runtime" in str(steps)
    assert "kata-runtime" in kata_engine.runtimes(lab.host("node1"))
    assert (docker / "asked").read_text() == "daemon-reload\nrestart docker\n"
    assert not kata.register(lab, "node1").changed
    assert (docker / "asked").read_text() == "daemon-reload\nrestart docker\n"
    lab.journal.unwind(lab.host)
    assert not (docker / "dropin.conf").exists()
    assert "kata-runtime" not in kata_engine.runtimes(lab.host("node1"))


def test_runtimes_in_dockers_own_file_are_added_to(lab, docker):
    before = '{"runtimes": {"crun": {"path": "/usr/bin/crun"}}}'
    (docker / "daemon.json").write_text(before)
    subprocess.run(["systemctl", "restart", "docker"], check=True)
    assert kata.register(lab, "node1", how="daemon.json").changed
    assert {"crun", "kata-runtime"} <= kata_engine.runtimes(lab.host("node1"))
    lab.journal.unwind(lab.host)
    assert (docker / "daemon.json").read_text() == before
    assert "kata-runtime" not in kata_engine.runtimes(lab.host("node1"))


def test_an_engine_that_does_not_start_again_leaves_the_way_back(lab, docker):
    (docker / "daemon.json").write_text('{"nonsense": 1}')
    with pytest.raises(CommandError, match="restart docker"):
        kata.register(lab, "node1")
    assert (docker / "dropin.conf").exists()
    (docker / "daemon.json").write_text("{}")
    lab.journal.unwind(lab.host)
    assert not (docker / "dropin.conf").exists()
    assert "runc" in kata_engine.runtimes(lab.host("node1"))


def test_a_docker_that_knows_no_shims_is_refused_with_its_version(lab, docker):
    with pytest.raises(StepError, match=r"docker 20\.\S+ cannot call io.containerd.kata.v2"):
        kata.register(lab, "node1", runtime=kata.SHIM)


def test_containerds_file_is_understood_by_a_real_containerd(lab, tmp_path, monkeypatch):
    if shutil.which("containerd") is None:
        pytest.skip("no containerd here: apt-get install --no-install-recommends containerd")
    path = tmp_path / "config.toml"
    before = 'version = 2\n# ours\n[plugins."io.containerd.grpc.v1.cri"]\n  sandbox_image = "pause"\n'
    path.write_text(before)
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "systemctl").write_text(f"#!/bin/sh\necho $* >>{tmp_path}/asked\n")
    (tools / "systemctl").chmod(0o755)
    (tools / "containerd").write_text(f'#!/bin/sh\nexec {shutil.which("containerd")} --config {path} "$@"\n')
    (tools / "containerd").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setattr(kata_engine, "CONTAINERD", str(path))
    assert kata.register(lab, "node1", how="containerd").changed
    assert "# ours" in path.read_text()
    assert not kata.register(lab, "node1", how="containerd").changed
    lab.journal.unwind(lab.host)
    assert path.read_text() == before
    assert (tmp_path / "asked").read_text() == "daemon-reload\nrestart containerd\n" * 2


def test_a_wrong_word_in_dockers_file_is_named(lab, docker):
    (docker / "daemon.json").write_text(json.dumps({"runtimes": 1}))
    with pytest.raises(ConfigError, match=r"daemon\.json"):
        kata.register(lab, "node1", how="daemon.json")
