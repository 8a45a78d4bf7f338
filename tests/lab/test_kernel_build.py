"""The kernel step on a real kernel source: what survives is built, what does not is named at once."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tsnlab.errors import KernelBuildError
from tsnlab.kernel import FRAGMENTS, Kernel, build, source

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def kernel() -> Kernel:
    return build(progress=False)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Debian's kernel source, unpacked; over a gigabyte, which pytest would keep for three runs."""
    folder = tmp_path_factory.mktemp("source")
    yield source.unpack(source.find(None).path, folder, folder / "unpack.log", show=False)
    shutil.rmtree(folder)


def test_a_kernel_that_was_built_is_to_be_had_within_a_second(kernel: Kernel) -> None:
    started = time.monotonic()
    again = build(progress=False)
    assert time.monotonic() - started < 1.0
    assert again == kernel


def test_every_symbol_that_the_fragments_ask_for_survived(kernel: Kernel) -> None:
    assert len(kernel.symbols) > 50
    assert kernel.symbols.lost == ()


def test_the_kernel_is_a_program_that_tells_its_version(kernel: Kernel) -> None:
    said = subprocess.run([kernel.path, "--version"], capture_output=True, text=True, check=True).stdout
    assert said.strip() == kernel.version
    assert kernel.virtual_time


def test_its_manifest_says_how_it_was_built(kernel: Kernel) -> None:
    manifest = json.loads((kernel.path.parent / "manifest.json").read_text())
    assert manifest["version"] == kernel.version
    assert "gcc" in manifest["compiler"]
    assert [Path(name).name for name in manifest["fragments"]] == ["stx.conf", "virtual.conf"]
    assert manifest["seconds"] > 0
    assert manifest["objects"] > 500


def test_its_config_and_build_log_lie_beside_it(kernel: Kernel) -> None:
    assert kernel.config is not None
    assert "CONFIG_NET_SCH_TAPRIO=y" in kernel.config.read_text()
    assert "CC      net/sched/sch_taprio.o" in (kernel.path.parent / "build.log").read_text()


def test_a_symbol_that_cannot_survive_is_named_before_anything_is_compiled(tree: Path, tmp_path: Path) -> None:
    fragment = tmp_path / "mine.conf"
    fragment.write_text("CONFIG_KVM=y\nCONFIG_NO_SUCH_THING=y\n")
    started = time.monotonic()
    with pytest.raises(KernelBuildError) as error:
        build(source=tree, fragments=[*FRAGMENTS, fragment], cache=tmp_path, progress=False)
    assert time.monotonic() - started < 60
    assert "2 of" in str(error.value)
    assert "CONFIG_KVM: requested y, but is n" in str(error.value)
    assert "CONFIG_NO_SUCH_THING: requested y, but is n; this kernel has no such symbol" in str(error.value)
    (log,) = (tmp_path / "kernel").glob("*.log")
    assert "  CC " not in log.read_text()


def test_a_tree_of_the_users_is_only_read(tree: Path, tmp_path: Path) -> None:
    before = source.find(tree).identity
    fragment = tmp_path / "mine.conf"
    fragment.write_text("CONFIG_NO_SUCH_THING=y\n")
    with pytest.raises(KernelBuildError, match="CONFIG_NO_SUCH_THING"):
        build(source=tree, fragments=[fragment], cache=tmp_path, progress=False)
    assert source.find(tree).identity == before


@pytest.mark.debian
def test_debians_kernel_is_there_without_building() -> None:
    kernel = build("debian")
    assert not kernel.virtual_time
    assert kernel.modules is not None
    assert list(kernel.modules.rglob("sch_taprio.ko"))
    assert "IGB" in str(kernel)
