"""Local git repositories that are laid out as Kata's are, with a script that has the interface of Kata's.

The script is not Kata's: it knows the same options, environment, folders and words, and makes the configuration as
Kata's does, with the kernel's own merge_config.sh over allnoconfig; but it does not compile: its images are texts with
the kernel's banner. What it was called with is kept in a file beside the repositories.
"""

import subprocess
from pathlib import Path

_SCRIPT = r"""#!/bin/bash
set -o errexit -o nounset -o pipefail
echo "$(basename "$PWD") GOPATH=${GOPATH:-} tag=${kata_version:-} $*" >>CALLS
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
force= version=
while getopts "a:c:defg:hk:p:t:v:" option; do
  case $option in f) force=true;; v) version=$OPTARG;; esac
done
shift $((OPTIND - 1))
kernel=KERNEL_FOLDER
[ -d "$kernel/configs/fragments" ] || { echo "ERROR: would clone from the network" >&2; exit 1; }
linux=$PWD/kata-linux-$version-$(cat "$kernel/kata_config_version")
configure() {
  cd TREE
  results=$(KCONFIG_CONFIG=$linux/.config ARCH=x86_64 scripts/kconfig/merge_config.sh -r -n -O "$linux" \
    "$kernel"/configs/fragments/common/*.conf "$kernel"/configs/fragments/x86_64/*.conf 2>&1)
  if grep "not in final" <<<"$results" >&2; then
    echo "ERROR: Failed to construct requested .config file" >&2
    exit 1
  fi
}
case $1 in
setup)
  if [ -d "$linux" ] && [ -z "$force" ]; then exit 0; fi
  mkdir -p "$linux"
  (configure)
  echo "Kernel source ready: $linux "
  ;;
build)
  [ -d "$linux" ] || { echo "ERROR: path to kernel does not exist, use build-kernel.sh setup" >&2; exit 1; }
  make -s -C TREE O="$linux" ARCH=x86_64 include/config/kernel.release
  release=$(cat "$linux/include/config/kernel.release")
  mkdir -p "$linux/arch/x86_64/boot"
  printf '\0%%s version\0Linux version %s (root@there) (gcc) #1 SMP today\n\0' "$release" >"$linux/vmlinux"
  gzip -c "$linux/vmlinux" >"$linux/arch/x86_64/boot/bzImage"
  ;;
install)
  to=$(readlink -m "$DESTDIR/$PREFIX/share/kata-containers")
  install -m 644 -D "$linux/arch/x86_64/boot/bzImage" "$to/vmlinuz-$version"
  install -m 644 -D "$linux/vmlinux" "$to/vmlinux-$version"
  ln -sf "vmlinuz-$version" "$to/vmlinuz.container"
  ln -sf "vmlinux-$version" "$to/vmlinux.container"
  ;;
esac
"""

_COMMON = """\
CONFIG_64BIT=y
CONFIG_PCI=y
CONFIG_POSIX_TIMERS=y
CONFIG_NET=y
CONFIG_INET=y
CONFIG_NETDEVICES=y
CONFIG_ETHERNET=y
CONFIG_NET_VENDOR_INTEL=y
CONFIG_NET_SCHED=y
"""

_OLD = '"$GOPATH/src/github.com/kata-containers/packaging/kernel"'


class Repository:
    """A repository with one tag, and a default branch that has gone on since.

    Attributes:
        path: of the clone.
        calls: what the script was called with, a line each.
    """

    def __init__(self, folder: Path, tag: str, tree: Path) -> None:
        self.path = folder
        self._calls = folder.parent / f"calls-{folder.name}"
        old = tag.startswith("1.")
        kernel = folder / ("kernel" if old else "tools/packaging/kernel")
        fragments = kernel / "configs/fragments"
        for part in ("common", "x86_64"):
            (fragments / part).mkdir(parents=True)
        (fragments / "common/base.conf").write_text(_COMMON)
        (fragments / "x86_64/arch.conf").write_text("CONFIG_SMP=y\n")
        (kernel / "kata_config_version").write_text("73\n")
        script = _SCRIPT.replace("CALLS", str(self._calls)).replace("TREE", str(tree))
        (kernel / "build-kernel.sh").write_text(script.replace("KERNEL_FOLDER", _OLD if old else '"$here"'))
        (kernel / "build-kernel.sh").chmod(0o755)
        if not old:
            (folder / "versions.yaml").write_text('assets:\n  kernel:\n    version: "v6.18.35"\n')
        self._git("init", "--quiet", "--initial-branch=main")
        self._commit("release")
        self._git("tag", tag)
        (kernel / "kata_config_version").write_text("92\n")
        self._commit("later")

    @property
    def calls(self) -> list[str]:
        return self._calls.read_text().splitlines() if self._calls.exists() else []

    def _commit(self, message: str) -> None:
        self._git("add", ".")
        self._git("-c", "user.name=nobody", "-c", "user.email=nobody@localhost", "commit", "--quiet", "-m", message)

    def _git(self, *argv: str) -> None:
        subprocess.run(["git", "-C", self.path, *argv], check=True)
