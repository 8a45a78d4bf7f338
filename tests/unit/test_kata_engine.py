"""The files that tell a container engine of Kata: Kata is added, and all else stays."""

import json
import tomllib

import pytest

from tsnlab import kata_engine
from tsnlab.errors import ConfigError


def test_dockers_file_gets_kata_and_keeps_the_rest():
    before = '{"storage-driver": "vfs", "runtimes": {"crun": {"path": "/usr/bin/crun"}}}'
    after = kata_engine.daemon_json(before)
    assert json.loads(after) == {
        "storage-driver": "vfs",
        "runtimes": {"crun": {"path": "/usr/bin/crun"}, "kata-runtime": {"path": "/usr/bin/kata-runtime"}},
    }
    assert kata_engine.daemon_json(after) == after


def test_dockers_file_is_made_where_there_is_none():
    assert json.loads(kata_engine.daemon_json(None))["runtimes"]["kata-runtime"]["path"] == "/usr/bin/kata-runtime"


@pytest.mark.parametrize(("text", "message"), [("{", "not valid JSON"), ("[]", "expected an object")])
def test_what_is_not_dockers_file_is_refused(text, message):
    with pytest.raises(ConfigError, match=f"/etc/docker/daemon.json: {message}"):
        kata_engine.daemon_json(text)


@pytest.mark.parametrize(("version", "plugin"), [(2, "io.containerd.grpc.v1.cri"), (3, "io.containerd.cri.v1.runtime")])
def test_containerds_file_gets_kata_where_its_version_has_runtimes(version, plugin):
    before = f'version = {version}\n# ours\n[plugins."{plugin}"]\n  sandbox_image = "pause"  # by hand\n'
    after = kata_engine.containerd_toml(before, "/etc/kata.toml")
    assert "# ours" in after
    assert 'sandbox_image = "pause"  # by hand' in after
    found = tomllib.loads(after)["plugins"][plugin]["containerd"]["runtimes"]["kata"]
    assert found == {
        "runtime_type": "io.containerd.kata.v2",
        "privileged_without_host_devices": True,
        "options": {"ConfigPath": "/etc/kata.toml"},
    }
    assert kata_engine.containerd_toml(after, "/etc/kata.toml") == after
