"""Nothing but apt-get needs root: the whole lab runs as an ordinary user."""

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import tsnlab

pytestmark = pytest.mark.lab

NOBODY = 65534

SCRIPT = """
    import os
    from pathlib import Path
    import tsnlab
    assert os.getuid() != 0
    with tsnlab.open_lab("virtual", Path("run")) as lab:
        case = tsnlab.load_case("case2", lab, packets=50)
        tsnlab.links.vlan(lab, case)
        tsnlab.qdisc.apply(lab, case)
        tsnlab.switch.configure(lab, case)
        sync = tsnlab.ptp.launch(lab).wait_locked()
        print(tsnlab.verdict.check(tsnlab.capture.record(lab, case, sync), case).passed)
"""


def readable_by_others(path: Path) -> bool:
    return all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents)


def test_case_2_is_measured_by_an_ordinary_user(linux, tmp_path_factory):
    if os.getuid() != 0:
        pytest.skip("all the other tests are run by an ordinary user already")
    checkout = Path(tsnlab.__file__)
    if not readable_by_others(checkout) or not readable_by_others(Path(sys.executable)):
        pytest.skip(f"{checkout.parent} or its interpreter lies where only root can read")
    home = Path(tmp_path_factory.mktemp("home", numbered=True))
    for folder in [home, *home.parents[:2]]:
        folder.chmod(0o755)
    (home / "run").mkdir()
    kernel = linux.path.parent
    shutil.copytree(kernel, home / "cache/tsnlab/kernel" / kernel.name, copy_function=shutil.copy)
    for path in [home, *home.rglob("*")]:
        os.chown(path, NOBODY, NOBODY)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT)],
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        cwd=home,
        env={"PATH": os.environ["PATH"], "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "True"), done.stderr
    left = {path.name for path in (home / "cache/tsnlab/virtual").glob("*") if path.is_dir()}
    assert left == set()
