"""A kernel is in the cache whole or not at all, under a key that changes when the kernel would."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tsnlab.deadline import Deadline
from tsnlab.errors import ConfigError, KernelBuildError
from tsnlab.kernel import Kernel, build, make, source
from tsnlab.kernel.cache import Entry, key
from tsnlab.kernel.config import compare
from tsnlab.kernel.process import running


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """As much of a source tree as tells it from another folder."""
    tree = tmp_path / "linux"
    for name in ["arch/um/Kconfig", "scripts/kconfig/merge_config.sh", "net/sched/sch_taprio.c"]:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text("")
    (tree / "Makefile").write_text("VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 1\n")
    return tree


@pytest.fixture
def entry(tmp_path: Path) -> Entry:
    return Entry(tmp_path / "kernel" / "0123")


def stored(entry: Entry) -> Kernel | None:
    with entry.locked(show=False), entry.workplace() as work:
        linux = work / "linux"
        linux.write_bytes(b"\x7fELF")
        entry.log.write_text("  CC      init/main.o\n")
        symbols = compare({"CONFIG_IGB": "y"}, {"CONFIG_IGB": "y"})
        entry.store(linux, "CONFIG_IGB=y\n", symbols, {"version": "6.12.117", "objects": 1})
    return entry.load()


class TestKey:
    base = key("source 1", ["CONFIG_NET=y"], "gcc 12")

    def test_is_the_same_for_the_same_kernel(self) -> None:
        assert key("source 1", ["CONFIG_NET=y"], "gcc 12") == self.base

    def test_changes_with_the_source(self) -> None:
        assert key("source 2", ["CONFIG_NET=y"], "gcc 12") != self.base

    def test_changes_with_the_compiler(self) -> None:
        assert key("source 1", ["CONFIG_NET=y"], "gcc 13") != self.base

    def test_changes_with_a_fragments_text(self) -> None:
        assert key("source 1", ["CONFIG_NET=n"], "gcc 12") != self.base

    def test_changes_with_the_order_of_fragments(self) -> None:
        one, two = ["CONFIG_NET=y", "CONFIG_NET=n"], ["CONFIG_NET=n", "CONFIG_NET=y"]
        assert key("source 1", one, "gcc 12") != key("source 1", two, "gcc 12")


class TestSource:
    def test_a_tree_has_the_same_identity_until_a_file_is_edited(self, tree: Path) -> None:
        before = source.find(tree).identity
        assert source.find(tree).identity == before
        (tree / "net/sched/sch_taprio.c").write_text("/* edited */")
        assert source.find(tree).identity != before

    def test_a_tarball_is_told_by_name_size_and_time_without_being_read(self, tmp_path: Path) -> None:
        tarball = tmp_path / "linux-6.12.tar.xz"
        tarball.write_bytes(b"not even xz")
        before = source.find(tarball).identity
        tarball.write_bytes(b"another one")
        assert source.find(tarball).identity != before

    def test_the_newest_of_debians_packages_is_taken(self, tmp_path: Path) -> None:
        for version in ["6.1", "6.12", "6.9"]:
            (tmp_path / f"linux-source-{version}.tar.xz").touch()
        assert source.find(None, tmp_path).path.name == "linux-source-6.12.tar.xz"

    def test_without_debians_package_the_error_says_which(self, tmp_path: Path) -> None:
        with pytest.raises(KernelBuildError, match=r"apt-get install .*linux-source-6\.12"):
            source.find(None, tmp_path)

    @pytest.mark.parametrize("leftover", [".config", "include/config", "arch/um/include/generated"])
    def test_a_tree_configured_in_place_is_refused_with_the_remedy(self, tree: Path, leftover: str) -> None:
        (tree / leftover).mkdir(parents=True)
        with pytest.raises(ConfigError, match=r"not clean.*mrproper"):
            source.find(tree)

    def test_a_folder_without_a_kernel_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="not a Linux source tree"):
            source.find(tmp_path)

    def test_a_path_that_is_not_there_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"nowhere is not a kernel source; expected"):
            source.find(tmp_path / "nowhere")

    def test_a_broken_tarball_is_an_error_in_tars_words(self, tmp_path: Path) -> None:
        tarball = tmp_path / "linux-6.12.tar.xz"
        tarball.write_bytes(b"not even xz")
        with pytest.raises(KernelBuildError, match=r"(?s)could not be unpacked.*format not recognized"):
            source.unpack(tarball, tmp_path, tmp_path / "log", show=False)


class TestEntry:
    def test_is_not_there_before_it_is_stored(self, entry: Entry) -> None:
        assert entry.load() is None

    def test_gives_back_what_was_stored(self, entry: Entry) -> None:
        kernel = stored(entry)
        assert kernel is not None
        assert kernel.path.read_bytes() == b"\x7fELF"
        assert (kernel.version, kernel.virtual_time, kernel.modules) == ("6.12.117", True, None)
        assert kernel.symbols.rows[0].symbol == "CONFIG_IGB"
        assert (entry.folder / "build.log").read_text() == "  CC      init/main.o\n"

    def test_leaves_nothing_but_the_kernel_and_its_lock(self, entry: Entry) -> None:
        stored(entry)
        assert {path.name for path in entry.folder.parent.iterdir()} == {"0123", "0123.lock"}

    def test_is_stored_over_a_damaged_one(self, entry: Entry) -> None:
        entry.folder.mkdir(parents=True)
        (entry.folder / "linux").write_text("half of it")
        assert stored(entry) is not None

    def test_a_failure_removes_the_source_and_keeps_the_log(self, entry: Entry) -> None:
        def failing() -> None:
            with entry.locked(show=False), entry.workplace():
                entry.log.write_text("error: out of cheese")
                raise KernelBuildError("it does not compile")

        with pytest.raises(KernelBuildError):
            failing()
        assert {path.name for path in entry.folder.parent.iterdir()} == {"0123.log", "0123.lock"}

    def test_what_a_killed_build_left_is_removed_by_the_next(self, entry: Entry) -> None:
        left = entry.folder.with_name("4567.work")
        left.mkdir(parents=True)
        stored(entry)
        assert not left.exists()

    def test_what_another_build_is_working_on_stays(self, entry: Entry) -> None:
        other = Entry(entry.folder.with_name("4567"))
        with other.locked(show=False), other.workplace() as work:
            stored(entry)
            assert work.exists()

    def test_two_builds_of_one_kernel_take_turns(self, entry: Entry) -> None:
        seen: list[str] = []

        def second() -> None:
            with entry.locked(show=False):
                seen.append("second" if entry.load() else "too early")

        with entry.locked(show=False):
            thread = threading.Thread(target=second)
            thread.start()
            time.sleep(0.3)
            seen.append("first")
            entry.folder.mkdir()
            (entry.folder / "manifest.json").write_text('{"version": "6.12", "symbols": []}')
        thread.join(timeout=5)
        assert seen == ["first", "second"]


class TestBuild:
    def test_an_unknown_target_is_refused_with_what_there_is(self) -> None:
        with pytest.raises(ConfigError, match="'xen' is not supported; expected 'virtual', 'debian' or 'kata'"):
            build("xen")

    def test_the_prebuilt_kernel_takes_no_fragments(self) -> None:
        with pytest.raises(ConfigError, match="prebuilt"):
            build("debian", fragments=["my.conf"])

    def test_no_jobs_at_all_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="jobs is 0"):
            build(jobs=0)

    def test_a_fragment_that_is_not_there_is_named(self, tree: Path) -> None:
        with pytest.raises(ConfigError, match=r"my\.conf cannot be read: No such file"):
            build(source=tree, fragments=["my.conf"])

    def test_missing_tools_are_listed_with_their_packages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "/nowhere")
        with pytest.raises(KernelBuildError, match=r"apt-get install .*gcc make flex .*xz-utils"):
            make.check_tools()

    def test_no_compiler_is_an_error_that_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "/nowhere")
        with pytest.raises(KernelBuildError, match="apt-get install"):
            make.compiler_version()


def is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_tool_of_the_build_does_not_outlive_it() -> None:
    def interrupted() -> subprocess.Popen[bytes]:
        with running(["sh", "-c", "sleep 60 & wait"]) as process:
            processes.append(process)
            raise KeyboardInterrupt

    processes: list[subprocess.Popen[bytes]] = []
    deadline = Deadline(10)
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert processes[0].returncode is not None
    while is_alive(processes[0].pid):
        deadline.check("end of the process group")
        time.sleep(0.05)
    assert not deadline.expired
