"""Who is let in, who is trusted, and where passwords go."""

import subprocess
import sys
import time

import pytest

from tests.remote.conftest import PASSWORD
from tests.remote.mortal import WITH_US
from tsnlab.deadline import Deadline
from tsnlab.errors import CommandError, HostError

_RELAY = """\
while True:
    for source in select.select([0, s], [], [])[0]:
        data = os.read(0, 65536) if source == 0 else s.recv(65536)
        if not data:
            sys.exit()
        (s.sendall if source == 0 else lambda d: os.write(1, d))(data)
"""


def test_an_unknown_host_key_is_refused_with_the_command_that_accepts_it(own_sshd, connect):
    own_sshd.known_hosts.write_text("")
    with pytest.raises(HostError, match=r"the host key .* is not known: ssh-ed25519 SHA256:") as caught:
        connect(own_sshd).run(["true"])
    command = str(caught.value).rpartition("accept it with `")[2].rstrip("`")
    subprocess.run(["sh", "-c", command], check=True, capture_output=True)
    connect(own_sshd).run(["true"])


def test_a_changed_host_key_is_refused(own_sshd, connect):
    other = (own_sshd.folder / "key.pub").read_text().split()
    own_sshd.known_hosts.write_text(f"[127.0.0.1]:{own_sshd.port} {other[0]} {other[1]}\n")
    with pytest.raises(HostError, match=r"is not the one that was accepted.*\n.*ssh-keygen -R"):
        connect(own_sshd).run(["true"])


def test_a_key_that_is_not_accepted(own_sshd, connect):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(own_sshd.folder / "other")], check=True)
    with pytest.raises(HostError, match="ssh-copy-id"):
        connect(own_sshd, IdentityFile=str(own_sshd.folder / "other")).run(["true"])


def test_nobody_listens(own_sshd, connect):
    own_sshd.stop()
    with pytest.raises(HostError, match=r"no SSH connection to .*\n.*node is up"):
        connect(own_sshd).run(["true"])


def test_over_a_jump_host(sshd, connect):
    host = connect(sshd)
    config = host.target.known_hosts[0].parent / "config-jump"
    direct = sshd.config(host.target.user).read_text()
    config.write_text("Host behind\n  ProxyJump between\n" + direct)
    host.target = type(host)("behind", config=config).target
    assert [jump.name for jump in host.target.jumps] == ["between"]
    assert host.run(["echo", "hello"]).stdout == "hello\n"


def test_over_a_command(sshd, connect):
    relay = "import os,select,socket,sys; s=socket.create_connection((sys.argv[1], int(sys.argv[2])))\n"
    program = sshd.folder / "relay.py"
    program.write_text(relay + _RELAY)
    host = connect(sshd, ProxyCommand=f"{sys.executable} {program} %h %p")
    assert host.run(["echo", "hello"]).stdout == "hello\n"
    proxy = host.connect()._proxy.process
    host.close()
    assert proxy.returncode is not None


def test_a_command_that_leads_nowhere(sshd, connect):
    with pytest.raises(HostError, match=r"no SSH connection to .* over `false`"):
        connect(sshd, ProxyCommand="false").run(["true"])


@pytest.fixture
def agent(tmp_path, monkeypatch):
    """A real ssh-agent without keys."""
    socket = tmp_path / "agent"
    process = subprocess.Popen([*WITH_US, "ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
    deadline = Deadline(10)
    while not socket.exists():
        deadline.check("the agent")
        time.sleep(0.02)
    yield
    process.terminate()
    process.wait()


def test_a_key_that_only_the_agent_has(own_sshd, connect, agent):
    key = own_sshd.folder / "key"
    subprocess.run(["ssh-add", "-q", str(key)], check=True)
    key.rename(own_sshd.folder / "elsewhere")
    files = {"IdentitiesOnly": "no", "IdentityFile": "none"}
    assert connect(own_sshd, **files).run(["echo", "hello"]).stdout == "hello\n"
    subprocess.run(["ssh-add", "-q", "-D"], check=True)
    with pytest.raises(HostError, match="does not let us in with the agent's keys"):
        connect(own_sshd, **files).run(["true"])


def test_sudo_without_a_password(sshd, connect):
    assert connect(sshd, "free").run(["id", "-u"]).stdout == "0\n"


def test_sudo_with_a_password(sshd, connect, tmp_path):
    host = connect(sshd, "asked", PASSWORD)
    for _ in range(2):
        result = host.run(["sh", "-c", "id -u; echo err >&2"])
        assert (result.stdout, result.stderr) == ("0\n", "err\n")
    assert PASSWORD not in (tmp_path / "transcript.jsonl").read_text()
    assert PASSWORD not in host.run(["ps", "axww", "-o", "args"]).stdout


def test_a_wrong_sudo_password_is_said_at_once(sshd, connect):
    with pytest.raises(HostError, match="TSNLAB_SUDO_NODE"):
        connect(sshd, "asked", "wrong").run(["id", "-u"])


def test_a_user_who_may_not_use_sudo(sshd, connect):
    with pytest.raises(CommandError, match="plain is not in the sudoers file"):
        connect(sshd, "plain", PASSWORD).run(["id", "-u"])


def test_stopping_a_process_of_root(sshd, connect):
    host = connect(sshd, "asked", PASSWORD)
    process = host.start(["sleep", "4244"])
    assert process.stop().returncode == -15
    assert host.run(["pgrep", "-f", "^sleep 4244"], check=False).stdout == ""


def test_files_of_root_go_both_ways(sshd, connect, tmp_path):
    host = connect(sshd, "free")
    path = host.run(["mktemp"]).stdout.strip()
    host.write_text(path, "secret\n")
    assert host.run(["stat", "-c", "%U %a", path]).stdout == "root 600\n"
    host.get(path, tmp_path / "back")
    host.run(["rm", path])
    assert (tmp_path / "back").read_text() == "secret\n"
    left = ["find", "/tmp", "-maxdepth", "1", "-regextype", "egrep", "-regex", "/tmp/tsnlab-[0-9a-f]{16}"]
    assert host.run(left).stdout == ""
