"""Time servers on a real chronyd, asked by another real chronyd in a network of their own; neither sets a clock (-x).

There is no systemd here: a program of the name `systemctl` starts and ends the chronyd that is the node's.
"""

import os
import subprocess
import time
from types import SimpleNamespace

import pytest

from tests.remote.mortal import WITH_US
from tsnlab import ntp, ntp_daemons
from tsnlab.deadline import Deadline
from tsnlab.errors import StepError
from tsnlab.hosts.local import LocalHost
from tsnlab.journal import Journal
from tsnlab.lab import load_lab_file
from tsnlab.paths import cache_folder

CHRONY = cache_folder() / "chrony/usr"

_CONF = """\
# as Debian has it
pool 2.debian.pool.ntp.org iburst
leapsectz right/UTC
makestep 1 3
pidfile {folder}/pid
bindcmdaddress {folder}/sock
cmdport 0
user root
"""

_SERVER = """\
local stratum 3
allow
pidfile {folder}/server.pid
bindcmdaddress /
cmdport 0
user root
"""

_SYSTEMCTL = """\
#!/bin/sh
echo "$*" >>{folder}/asked
runs() {{ [ -e {folder}/pid ] && kill -0 "$(cat {folder}/pid)" 2>/dev/null; }}
end() {{ if runs; then kill "$(cat {folder}/pid)"; while [ -e {folder}/pid ]; do sleep 0.05; done; fi; }}
case "$*" in
  "cat chronyd") exit 0;;
  "is-active chronyd") if runs; then echo active; else echo inactive; exit 3; fi;;
  "restart chronyd"|"start chronyd") end; nsenter -t {pid} -n {chronyd} -x -f {folder}/chrony.conf;;
  "stop chronyd") end;;
  *) echo inactive; exit 3;;
esac
"""


class _Lab(SimpleNamespace):
    def wait(self, done, waited_for, *, lab_seconds, wall_seconds=60.0):
        end = Deadline(min(lab_seconds, self.patience))
        while not done() and not end.expired:
            time.sleep(0.1)
        return done()


@pytest.fixture
def lab(tmp_path, monkeypatch):
    if os.geteuid() != 0:
        pytest.skip("chronyd needs root")
    if not (CHRONY / "sbin/chronyd").exists():
        pytest.skip("no chrony here: tests/remote/get-chrony fetches it")
    network = subprocess.Popen(
        [*WITH_US, "unshare", "--net", "sh", "-c", "ip link set lo up; echo up; exec sleep 600"], stdout=subprocess.PIPE
    )
    network.stdout.readline()
    words = {"folder": tmp_path, "pid": network.pid, "chronyd": CHRONY / "sbin/chronyd"}
    (tmp_path / "chrony.conf").write_text(_CONF.format(**words))
    (tmp_path / "server.conf").write_text(_SERVER.format(**words))
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, text in (
        ("systemctl", _SYSTEMCTL.format(**words)),
        ("chronyc", f'#!/bin/sh\nexec {CHRONY}/bin/chronyc -h {tmp_path}/sock "$@"\n'),
    ):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    chrony = ntp_daemons.DAEMONS[0]
    monkeypatch.setattr(
        ntp, "DAEMONS", (SimpleNamespace(**{**vars(chrony), "files": (str(tmp_path / "chrony.conf"),)}),)
    )
    spec = load_lab_file("hardware")
    host = LocalHost("switch")
    lab = _Lab(journal=Journal(None), host=lambda node: host, spec=spec, patience=20)
    yield lab
    lab.journal.unwind(lab.host)
    subprocess.run([tools / "systemctl", "stop", "chronyd"], check=True)
    if (tmp_path / "server.pid").exists():
        os.kill(int((tmp_path / "server.pid").read_text()), 15)
    network.kill()
    network.wait()
    network.stdout.close()


@pytest.fixture
def server(lab, tmp_path):
    pid = (tmp_path / "tools/systemctl").read_text().split("nsenter -t ")[1].split()[0]
    subprocess.run(
        ["nsenter", "-t", pid, "-n", CHRONY / "sbin/chronyd", "-x", "-f", tmp_path / "server.conf"], check=True
    )


def _asked(tmp_path):
    return [
        line
        for line in (tmp_path / "asked").read_text().splitlines()
        if line.split()[0] in ("start", "stop", "restart")
    ]


def test_a_server_that_answers_is_set_and_the_former_ones_come_back(lab, server, tmp_path):
    conf = tmp_path / "chrony.conf"
    before = conf.read_text()
    subprocess.run(["systemctl", "start", "chronyd"], check=True)
    step = ntp._ask(lab, "switch", ["127.0.0.1"])
    assert step.after == "asks 127.0.0.1"
    assert "server 127.0.0.1 iburst" in conf.read_text()
    assert "\n# tsnlab: leapsectz right/UTC\n" in conf.read_text()
    assert not ntp._ask(lab, "switch", ["127.0.0.1"]).changed
    lab.journal.unwind(lab.host)
    assert conf.read_text() == before
    assert _asked(tmp_path) == ["start chronyd", "restart chronyd", "restart chronyd"]


def test_a_server_that_does_not_answer_is_said(lab, tmp_path):
    lab.patience = 2
    with pytest.raises(StepError, match=r"(?s)switch: none of the time servers 127.0.0.1 has answered.*UDP port 123"):
        ntp._ask(lab, "switch", ["127.0.0.1"])
    lab.journal.unwind(lab.host)
    # it did not run before
    assert subprocess.run(["systemctl", "is-active", "chronyd"], check=False, stdout=subprocess.DEVNULL).returncode == 3


def test_free_running_stops_whoever_sets_a_clock_and_starts_it_again(lab, tmp_path):
    subprocess.run(["systemctl", "start", "chronyd"], check=True)
    steps = ntp.configure(lab)
    assert "clocks run free" in str(steps)
    # all nodes are this machine here: it is stopped on the first
    assert [(step.node, step.changed) for step in steps.steps] == [("switch", True), ("host1", False), ("node2", False)]
    lab.journal.unwind(lab.host)
    assert subprocess.run(["systemctl", "is-active", "chronyd"], check=False, stdout=subprocess.DEVNULL).returncode == 0


def test_where_there_is_nothing_to_ask_with_it_is_said(lab, monkeypatch):
    monkeypatch.setattr(ntp, "DAEMONS", ())
    with pytest.raises(StepError, match=r"switch: nothing there that could ask.*\n.*apt-get install chrony"):
        ntp.configure(lab, ["127.0.0.1"])
