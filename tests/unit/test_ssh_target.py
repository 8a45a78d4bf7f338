"""What ~/.ssh/config says about a destination."""

import getpass
from pathlib import Path

import pytest

from tsnlab.errors import ConfigError
from tsnlab.hosts.ssh_target import resolve

CONFIG = """\
Host node1
  HostName 10.0.0.1
  User starlingx
  Port 2222
  IdentityFile /keys/lab
  IdentitiesOnly yes
  ProxyJump gate,inner

Host gate
  HostName gate.example.org
  User guest

Host ring-a
  ProxyJump ring-b
Host ring-b
  ProxyJump ring-a
Host tunnel
  HostName 10.0.0.9
  ProxyCommand nc %h %p
Host both
  ProxyJump gate
  ProxyCommand nc %h %p
Host neither
  ProxyCommand none
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config"
    path.write_text(CONFIG)
    return path


def test_all_that_a_host_block_says(config):
    target = resolve("node1", config)
    assert (target.hostname, target.port, target.user) == ("10.0.0.1", 2222, "starlingx")
    assert target.keys == ("/keys/lab",)
    assert target.only_these_keys
    assert [jump.hostname for jump in target.jumps] == ["gate.example.org", "inner"]
    assert target.known_as == "[10.0.0.1]:2222"


def test_what_the_destination_says_comes_first(config):
    target = resolve("root@node1:22", config)
    assert (target.user, target.port) == ("root", 22)


def test_a_host_that_no_block_names(config):
    target = resolve("elsewhere", config)
    assert (target.hostname, target.port, target.user, target.jumps) == ("elsewhere", 22, getpass.getuser(), ())


def test_without_a_configuration(tmp_path):
    assert resolve("user@[::1]:2200", tmp_path / "none").hostname == "::1"


@pytest.mark.parametrize(
    ("destination", "message"),
    [
        ("ring-a", "circle: ring-a -> ring-b -> ring-a"),
        ("both", "which of the two is meant"),
        ("a b", "SSH destination"),
    ],
)
def test_what_cannot_be_understood(config, destination, message):
    with pytest.raises(ConfigError, match=message):
        resolve(destination, config)


def test_a_command_that_leads_there_is_told_where(config):
    assert resolve("tunnel", config).proxy_command == "nc 10.0.0.9 22"
    assert str(resolve("root@tunnel", config)) == "root@10.0.0.9:22 over `nc 10.0.0.9 22`"
    assert resolve("neither", config).proxy_command == ""


def test_known_hosts_are_looked_for_where_the_configuration_says(tmp_path):
    path = tmp_path / "config"
    path.write_text("Host *\n  UserKnownHostsFile /a /b\n")
    assert resolve("x", path).known_hosts[:2] == (Path("/a"), Path("/b"))
