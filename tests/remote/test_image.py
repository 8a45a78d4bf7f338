"""The guide's image built by a real dockerd: from a busybox, and from a small Debian with its packages."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.remote import docker as real
from tsnlab import image
from tsnlab.errors import ConfigError, StepError
from tsnlab.hosts.local import LocalHost
from tsnlab.journal import Journal
from tsnlab.paths import cache_folder

DEBIAN = cache_folder() / "debian-base.tar"


@pytest.fixture(scope="module")
def docker(tmp_path_factory):
    if reason := real.missing():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("docker")
    daemon = real.Docker(folder)
    if not daemon.ready():
        pytest.skip(f"dockerd does not start here: {(folder / 'dockerd.log').read_text()[-500:]}")
    daemon.import_image(folder, "busybox")
    yield daemon
    daemon.stop()


@pytest.fixture
def lab(docker, tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", docker.address)
    host = LocalHost("node1")
    lab = SimpleNamespace(journal=Journal(None), host=lambda node: host, folder=tmp_path)
    yield lab
    lab.journal.unwind(lab.host)


def _build(lab, **more):
    return image.build(lab, "node1", **{"base": "busybox", "packages": (), "network": "none", **more})


def _names(docker):
    return docker("image", "ls", "--format", "{{.Repository}}").stdout.decode().split()


def test_it_is_built_once_recorded_and_taken_back(lab, docker, tmp_path):
    built = _build(lab)
    assert built.changed
    assert built.identity == json.loads(docker("inspect", "kata_tsn_image").stdout)[0]["Id"]
    record = json.loads((tmp_path / "image.json").read_text())
    assert (record["identity"], record["base"]) == (built.identity, "busybox")
    assert record["base_digest"].startswith("sha256:")
    assert not _build(lab).changed
    lab.journal.unwind(lab.host)
    assert "kata_tsn_image" not in _names(docker)


def test_another_base_is_another_image_and_the_former_one_comes_back(lab, docker, tmp_path):
    docker.import_image(tmp_path, "kata_tsn_image")
    before = json.loads(docker("inspect", "kata_tsn_image").stdout)[0]["Id"]
    built = _build(lab)
    assert "another image of that name" in str(built)
    assert built.identity != before
    lab.journal.unwind(lab.host)
    assert json.loads(docker("inspect", "kata_tsn_image").stdout)[0]["Id"] == before
    docker("rmi", "kata_tsn_image")


def test_a_base_that_is_nowhere_is_named(lab):
    with pytest.raises(StepError, match=r"(?s)node1: image kata_tsn_image cannot be built from no_such_base.*load"):
        _build(lab, base="no_such_base")


def test_without_an_engine_it_is_said(lab, monkeypatch, tmp_path):
    (tmp_path / "tools").mkdir()
    for tool in ("sh", "setsid", "cat"):
        (tmp_path / "tools" / tool).symlink_to(Path("/bin") / tool)
    monkeypatch.setenv("PATH", str(tmp_path / "tools"))
    with pytest.raises(StepError, match="node1: there is no docker"):
        _build(lab)


def test_ctr_is_told_apart(lab):
    with pytest.raises(ConfigError, match="ctr cannot build images"):
        _build(lab, engine="ctr")


@pytest.fixture(scope="module")
def debian(docker):
    if not DEBIAN.exists():
        pytest.skip("no small Debian here: tests/remote/get-debian fetches it")
    with DEBIAN.open("rb") as tar:
        docker("import", "-", "debian", stdin=tar)
    return "debian"


@pytest.mark.skipif(os.environ.get("CI") is None, reason="fetches packages; continuous integration does")
def test_packages_are_installed_and_listed(lab, debian):
    built = _build(lab, base=debian, packages=("ethtool",), network="host")
    versions = dict(built.packages)
    assert "ethtool" in versions
    assert len(versions) > 50
    assert "<table>" in built._repr_html_()


@pytest.mark.skipif(os.environ.get("CI") is None, reason="asks for a package; continuous integration does")
def test_a_package_that_there_is_not_is_said(lab, debian):
    with pytest.raises(
        StepError, match=r"(?s)Unable to locate package no-such-package.*what to do: is the package one"
    ):
        _build(lab, base=debian, packages=("no-such-package",), network="host")
