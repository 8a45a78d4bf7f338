"""Who is let in, who is trusted, and where passwords go."""

import subprocess

import pytest

from tests.remote.conftest import PASSWORD
from tsnlab.errors import CommandError, HostError


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
