"""A real sshd on loopback, with users of its own.

As root it runs in a mount namespace in which the password files are copies with three more users, so that nothing of
the system is changed and nothing is left; as an ordinary user it serves that user, and the tests of sudo are skipped.
"""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.remote.mortal import WITH_US
from tsnlab.deadline import Deadline
from tsnlab.hosts import Transcript
from tsnlab.hosts.ssh import SshHost
from tsnlab.hosts.sudo import Sudo

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
PASSWORD = "correct horse"

_USERS = """\
set -e
mount -t tmpfs -o mode=755 none /run
mkdir -m 755 /run/sshd /run/tsnlab
for file in passwd shadow group; do cp -p /etc/$file /run/tsnlab/$file; mount --bind /run/tsnlab/$file /etc/$file; done
for id in 7001:free 7002:asked 7003:plain; do
  echo "${id#*:}:x:${id%:*}:${id%:*}::/tmp:/bin/sh" >>/etc/passwd
  echo "${id#*:}:$PASSWORD_HASH:19000:0:99999:7:::" >>/etc/shadow
  echo "${id#*:}:x:${id%:*}:" >>/etc/group
done
if [ -e /etc/sudoers ]; then
  printf 'free ALL=(ALL) NOPASSWD: ALL\\nasked ALL=(ALL) ALL\\n' >/run/tsnlab/sudoers
  chmod 440 /run/tsnlab/sudoers
  mount --bind /run/tsnlab/sudoers /etc/sudoers
fi
install -m 644 "$1/authorized_keys" /run/tsnlab/authorized_keys
exec "$2" -D -e -f "$1/sshd_config"
"""

_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {keys}
StrictModes no
UsePAM no
PasswordAuthentication no
PidFile none
MaxSessions 10
Subsystem sftp internal-sftp
"""


def missing() -> str:
    """Why there can be no sshd here; empty if there can."""
    if SSHD is None:
        return "no sshd here: apt-get install --no-install-recommends openssh-server"
    if os.geteuid() != 0 and not Path("/run/sshd").is_dir():
        return "sshd wants a folder that only root can make: sudo mkdir -p /run/sshd"
    return ""


@dataclass
class Server:
    """A running sshd and the client's side of it."""

    folder: Path
    port: int
    process: subprocess.Popen

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    def config(self, user: str, **more: str) -> Path:
        """An ~/.ssh/config that leads to it under the name `node`."""
        settings = {"HostName": "127.0.0.1", "Port": str(self.port), "User": user, "IdentitiesOnly": "yes"}
        settings |= {"IdentityFile": str(self.folder / "key"), "UserKnownHostsFile": str(self.known_hosts)} | more
        path = self.folder / f"config-{user}-{len(list(self.folder.glob('config*')))}"
        path.write_text("Host *\n" + "".join(f"  {key} {value}\n" for key, value in settings.items()))
        return path

    def stop(self) -> None:
        with suppress(ProcessLookupError):  # a test has done it
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def sessions(self) -> list[int]:
        """The processes of sshd that serve a connection."""
        return descendants(self.process.pid)


def descendants(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout.split()
    return [int(child) for child in found] + [below for child in found for below in descendants(int(child))]


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def make_key(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)


def start_server(folder: Path) -> Server:
    folder.mkdir(exist_ok=True)
    port = free_port()
    make_key(folder / "host_key")
    make_key(folder / "key")
    shutil.copy(folder / "key.pub", folder / "authorized_keys")
    root = os.geteuid() == 0
    keys = "/run/tsnlab/authorized_keys" if root else folder / "authorized_keys"
    (folder / "sshd_config").write_text(_CONFIG.format(port=port, folder=folder, keys=keys))
    command = [SSHD, "-D", "-e", "-f", str(folder / "sshd_config")]
    environment = dict(os.environ)
    if root:
        command = ["unshare", "--mount", "sh", "-c", _USERS, "sshd", str(folder), SSHD]
        hashed = subprocess.run(["openssl", "passwd", "-6", PASSWORD], check=True, capture_output=True, text=True)
        environment["PASSWORD_HASH"] = hashed.stdout.strip()
    log = (folder / "sshd.log").open("w")
    process = subprocess.Popen([*WITH_US, *command], stderr=log, env=environment, start_new_session=True)
    log.close()
    _wait_for(port, folder / "sshd.log")
    kind, key, *_ = (folder / "host_key.pub").read_text().split()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {kind} {key}\n")
    return Server(folder, port, process)


def _wait_for(port: int, log: Path) -> None:
    deadline = Deadline(10)
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            deadline.check("sshd", log.read_text())
            time.sleep(0.05)


@pytest.fixture(scope="session")
def sshd(tmp_path_factory):
    if reason := missing():
        pytest.skip(reason)
    server = start_server(tmp_path_factory.mktemp("sshd"))
    yield server
    server.stop()


@pytest.fixture
def own_sshd(tmp_path):
    """One that a test may ill-treat."""
    if reason := missing():
        pytest.skip(reason)
    server = start_server(tmp_path / "sshd")
    yield server
    server.stop()


def plain_user() -> str:
    return "plain" if os.geteuid() == 0 else getpass.getuser()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 128 KiB."""
    if os.geteuid() != 0:
        pytest.skip("to mount a file system needs root")
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "none", folder], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def connect(tmp_path):
    """Gives a host: `connect(server)`, `connect(server, "asked", password="...")`; all are closed in the end."""
    hosts = []

    def to(server: Server, user: str | None = None, password: str | None = None, **config: str) -> SshHost:
        if user and (os.geteuid() != 0 or not shutil.which("sudo")):
            pytest.skip("users with sudo: needs root, and sudo installed")
        sudo = Sudo("node", (lambda: password) if password else None) if user else None
        transcript = Transcript(tmp_path / "transcript.jsonl")
        config_file = server.config(user or plain_user(), **config)
        hosts.append((SshHost("node", transcript=transcript, sudo=sudo, config=config_file), transcript))
        return hosts[-1][0]

    yield to
    for host, transcript in hosts:
        host.close()
        transcript.close()
