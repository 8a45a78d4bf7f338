"""Kata's own build driven, on local repositories laid out as Kata's (kata_repository.py says what in them is real).

The configurations are real: made by Debian's kernel source for x86-64 from the guide's fragment.
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.remote import docker as real
from tests.remote.kata_repository import Repository
from tsnlab import kernel
from tsnlab.errors import CommandError, ConfigError, KernelBuildError
from tsnlab.hosts.container import ContainerHost
from tsnlab.hosts.local import LocalHost
from tsnlab.journal import Journal
from tsnlab.kernel import kata_build, source
from tsnlab.kernel.kata_result import banner


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Debian's kernel source, unpacked."""
    folder = tmp_path_factory.mktemp("linux")
    return source.unpack(source.find(None).path, folder, folder / "log", show=False)


@pytest.fixture(scope="module")
def repository(tmp_path_factory, tree):
    if shutil.which("git") is None:
        pytest.skip("no git here")

    def make(tag: str) -> Repository:
        folder = tmp_path_factory.mktemp("repository") / f"kata-{tag}"
        folder.mkdir()
        return Repository(folder, tag, tree)

    return make


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")

    def built(repository, **more):
        return kernel.build("kata", source=repository.path, cache=cache, progress=False, **more)

    return built


@pytest.fixture(scope="module")
def kata_1(repository):
    return repository("1.11.0")


@pytest.fixture(scope="module")
def built(kata_1, build):
    return build(kata_1)


def test_kata_1_is_driven_as_the_guide_does_in_a_tree_of_its_release(kata_1, built):
    kata = kata_1
    commands = [call.split()[-1] for call in kata.calls]
    assert commands == ["setup", "setup", "build", "install"]
    assert all("-v 5.4.32 -f -d" in call and "tag=1.11.0" in call and "GOPATH=/" in call for call in kata.calls)
    assert not built.symbols.lost
    assert {row.symbol for row in built.symbols} >= {"CONFIG_NET_SCH_TAPRIO", "CONFIG_NET_SCH_ETF", "CONFIG_IGB"}
    assert "CONFIG_IGB=y" in built.config.read_text()
    # the tag's, not that of the branch which has gone on
    assert "kata-linux-5.4.32-73" in (built.folder / "build.log").read_text()


def test_what_was_built_is_there_as_files_with_what_made_it(built):
    assert all(image.is_file() and not image.is_symlink() for image in built.images)
    assert built.banner == f"Linux version {built.release} (root@there) (gcc) #1 SMP today"
    manifest = json.loads((built.folder / "manifest.json").read_text())
    assert (manifest["kata"], manifest["kernel"], manifest["fragments"]) == ("1.11.0", "5.4.32", ["stx.conf"])
    assert len(manifest["commit"]) == 40
    assert set(manifest["sha256"]) == {"vmlinux.container", "vmlinuz.container", "config"}
    assert "NET_SCH_TAPRIO" in built._repr_html_()


def test_the_same_again_is_not_built_again(kata_1, build, built):
    calls = len(kata_1.calls)
    again = build(kata_1)
    assert (again.folder, len(kata_1.calls)) == (built.folder, calls)
    assert again.symbols == built.symbols


def test_since_kata_2_fragments_come_first_and_there_is_one_setup(repository, build):
    kata = repository("3.2.0")
    built = build(kata, kata="3.2.0")
    assert [call.split()[-1] for call in kata.calls] == ["setup", "build", "install"]
    assert all("-v 6.18.35" in call for call in kata.calls)
    assert "CONFIG_NET_SCH_TAPRIO=y" in built.config.read_text()


def test_a_symbol_that_does_not_survive_is_named(repository, build, tmp_path):
    fragment = tmp_path / "more.conf"
    fragment.write_text("CONFIG_NET_SCH_NOTHING=y\n")
    kata = repository("1.11.0")
    with pytest.raises(KernelBuildError, match=r"(?s)CONFIG_NET_SCH_NOTHING not in final.*see the symbols above"):
        build(kata, fragments=[kernel.FRAGMENTS[0], fragment])
    assert [call.split()[-1] for call in kata.calls] == ["setup", "setup"]
    # nothing is left on the machine that built
    folder = Path(kata.calls[0].split("GOPATH=")[1].split()[0]).parent
    assert folder.name.startswith("tsnlab-kata-")
    assert not folder.exists()


def test_a_fragment_that_is_not_there_is_named(repository, build, tmp_path):
    with pytest.raises(ConfigError, match=r"nothing\.conf cannot be read"):
        build(repository("1.11.0"), fragments=[tmp_path / "nothing.conf"])


def test_a_module_is_no_symbol_for_a_kernel_without_modules(tmp_path):
    driver = kata_build.Driver(LocalHost("here"), None, {"stx.conf": "CONFIG_IGB=y\n"}, tmp_path / "log")
    with pytest.raises(KernelBuildError, match="CONFIG_IGB: requested y, but is m a module"):
        driver.check("CONFIG_IGB=m\n")


def test_a_release_that_there_is_not_is_said(repository, build):
    with pytest.raises(KernelBuildError, match=r"(?s)cloning Kata's recipe.*is the release a tag"):
        build(repository("1.11.0"), kata="1.12.9", version="5.4.60")


def test_a_release_whose_kernel_is_not_known_asks_for_it(repository, build):
    with pytest.raises(ConfigError, match=r"say which kernel \(version=\)"):
        build(repository("1.12.0"), kata="1.12.0")


def test_tools_that_are_missing_are_named_with_their_packages(repository, build, monkeypatch, tmp_path):
    monkeypatch.setitem(kata_build.TOOLS, "no-such-tool", "its-package")
    with pytest.raises(KernelBuildError, match="needs no-such-tool\nwhat to do: apt-get install its-package"):
        build(repository("1.11.0"))


@pytest.fixture
def engine(tmp_path):
    if reason := real.missing():
        pytest.skip(reason)
    daemon = real.Docker(tmp_path)
    if not daemon.ready():
        pytest.skip(f"dockerd does not start here: {(tmp_path / 'dockerd.log').read_text()[-500:]}")
    daemon.import_image(tmp_path)
    yield daemon
    daemon.stop()


def test_a_container_of_a_real_dockerd_is_a_place_to_build_in(repository, build, engine, monkeypatch, tree):
    kata = repository("3.2.0")
    tools = [word for part in ("bin", "usr", "lib", "lib64", "etc") for word in ("-v", f"/{part}:/{part}:ro")]
    shared = [word for path in (tree, kata.path.parent) for word in ("-v", f"{path}:{path}")]
    # an image of nothing, with this machine's tools
    engine("run", "-d", "--name", "builder", *tools, *shared, "kata_tsn_image", "tail", "-f", "/dev/null")
    monkeypatch.setenv("DOCKER_HOST", engine.address)
    builder = ContainerHost("builder", LocalHost("node1"), "docker", "builder")
    built = build(kata, kata="3.2.0", on=builder)
    assert built.manifest["machine"] == "builder"
    assert builder.run(["ls", "/var/tmp"]).stdout == ""


@pytest.fixture
def lab():
    host = LocalHost("node1")
    return SimpleNamespace(journal=Journal(None), host=lambda node: host)


def test_the_images_come_to_node_1_as_files_and_its_own_come_back(lab, built, tmp_path):
    place = tmp_path / "share"
    place.mkdir()
    (place / "vmlinux-5.4.32-73").write_text("Kata's own")
    (place / "vmlinux.container").symlink_to("vmlinux-5.4.32-73")
    assert kernel.install(lab, "node1", built, str(place)).changed
    assert banner(place / "vmlinux.container") == built.banner
    there = kernel.installed(lab, "node1", str(place), cache=built.folder.parents[1])
    assert there is not None
    assert there.banner == built.banner
    assert not (place / "vmlinux.container").is_symlink()
    assert not kernel.install(lab, "node1", built, str(place)).changed
    lab.journal.unwind(lab.host)
    assert (place / "vmlinux.container").readlink().name == "vmlinux-5.4.32-73"
    assert kernel.installed(lab, "node1", str(place), cache=built.folder.parents[1]) is None
    assert sorted(file.name for file in place.iterdir()) == ["vmlinux-5.4.32-73", "vmlinux.container"]


def test_a_full_disk_is_named_and_what_was_there_comes_back(lab, built, small_disk, tmp_path):
    shutil.copytree(built.folder, tmp_path / "large")
    built = replace(built, folder=tmp_path / "large")
    built.images[0].write_bytes(bytes(1 << 18))
    (small_disk / "vmlinux.container").write_text("Kata's own")
    with pytest.raises(CommandError, match=r"is there room on the disk"):
        kernel.install(lab, "node1", built, str(small_disk))
    lab.journal.unwind(lab.host)
    assert (small_disk / "vmlinux.container").read_text() == "Kata's own"
