"""The guide's lab as machines that SSH reaches: a machine in QEMU whose network namespaces are the nodes.

It runs Debian's kernel with this machine's files as its root, over 9P, and what it writes stays in its memory. Each
node has a real sshd, its own /run and /tmp, an interface `mgmt0` that carries the connection to it, and the guide's
interfaces, made by the commands that make those of the virtual lab. All nodes share a kernel, and with it a clock.
"""

import socket
import subprocess
import time
from pathlib import Path

import yaml

from tests.remote import qemu
from tests.remote.conftest import SSHD, free_port, make_key
from tests.remote.mortal import WITH_US
from tsnlab import files
from tsnlab.deadline import Deadline
from tsnlab.lab import LABS, LabFile
from tsnlab.virtual import network

NODES = ("node1", "node2", "node3", "node4", "switch")

_MODULES = {
    "kernel/drivers/virtio": ("virtio",),
    "kernel/drivers/net": ("virtio_net", "net_failover", "veth"),
    "kernel/fs": ("9p", "netfs", "fscache", "overlay"),
    "kernel/net": ("9pnet", "8021q", "garp", "mrp", "bridge", "stp", "llc", "failover", "sch_", "cls_", "act_"),
    "kernel/crypto": ("crc32",),
    "kernel/lib": ("crc",),
}

_INIT = """\
#!/bin/sh
export PATH=/bin
mount -t proc none /proc; mount -t sysfs none /sys; mount -t devtmpfs none /dev
for module in virtio_pci 9pnet_virtio 9p overlay virtio_net veth 8021q bridge sch_taprio sch_etf sch_mqprio \
  sch_netem sch_tbf sch_ingress cls_matchall cls_flower act_gact act_mirred act_skbedit; do
  modprobe $module || echo "no module $module"
done
mkdir -p /host /over /new
mount -t 9p -o trans=virtio,version=9p2000.L,cache=loose,msize=262144,ro root /host
mount -t tmpfs none /over
mkdir /over/upper /over/work
mount -t overlay -o lowerdir=/host,upperdir=/over/upper,workdir=/over/work none /new
mkdir -p /new/lib/modules && mount --bind /lib/modules /new/lib/modules
for place in proc sys dev; do mount --move /$place /new/$place; done
exec chroot /new /bin/sh FOLDER/set-up
"""

_SET_UP = """\
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C
mkdir -p /dev/pts /dev/shm
mount -t devpts none /dev/pts; mount -t tmpfs none /dev/shm; mount -t tmpfs none /run
ip link set lo up
ip link add management type bridge
for nic in /sys/class/net/*; do [ ! -e $nic/device ] || uplink=${nic##*/}; done
ip link set $uplink master management up
ip link set management up
node() {
  ip netns add $1
  ip -n $1 link set lo up
  ip link add to-$1 type veth peer name mgmt0 netns $1
  ip link set to-$1 master management up
  ip -n $1 address add $2/24 dev mgmt0
  ip -n $1 link set mgmt0 up
  ip -n $1 route add default via 10.0.2.2
}
ip netns add CABLES
"""

_NODE = """\
ip netns exec {name} unshare --mount --uts sh -c '
  mkdir -m 755 /run/{name} && mount --bind /run/{name} /run && mount -t tmpfs none /root
  mkdir -m 755 /run/sshd; hostname {name}
  install -m 600 {folder}/host_key {folder}/sshd_config /run
  install -D -m 600 {folder}/key.pub /root/.ssh/authorized_keys
  mount -t tmpfs none /tmp
  exec {sshd} -D -e -f /run/sshd_config' &
"""

_SSHD = """\
Port 22
HostKey /run/host_key
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin yes
PidFile none
MaxSessions 20
ClientAliveInterval 5
Subsystem sftp internal-sftp
"""


def missing() -> str:
    """Why there can be none here; empty if there can."""
    if SSHD is None:
        return "no sshd here: apt-get install --no-install-recommends openssh-server"
    if reason := qemu.missing():
        return reason
    _, modules = qemu.kernel()
    if not (modules / "kernel/net/sched").is_dir():
        return "the kernel here has no modules of the network: tests/remote/get-kernel fetches Debian's"
    return ""


def lab_content() -> dict:
    """The lab file of the nodes, but for where these are reached."""
    content = yaml.safe_load((LABS / "virtual.yaml").read_text())
    content |= {"name": "nodes", "kind": "hardware", "badge": "machines emulated by QEMU"}
    # offsets of 7 ms were seen: an emulated kernel stamps a frame when it is its turn
    content["sync_threshold"] = "20 ms"
    return {key: value for key, value in content.items() if key not in ("kernel", "start_time")}


class Nodes:
    """The running machine.

    Attributes:
        lab_file: a lab file of its nodes.
        ssh_config: what leads to them.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {name: free_port() for name in NODES}
        make_key(folder / "host_key")
        make_key(folder / "key")
        (folder / "sshd_config").write_text(_SSHD)
        content = lab_content()
        for name, node in content["nodes"].items():
            node["ssh"] = f"root@127.0.0.1:{self.ports[name]}"
        self.lab_file = folder / "nodes.yaml"
        self.lab_file.write_text(yaml.safe_dump(content))
        self.ssh_config = folder / "ssh_config"
        known = folder / "known_hosts"
        self.ssh_config.write_text(
            f"Host *\n  IdentityFile {folder}/key\n  IdentitiesOnly yes\n  UserKnownHostsFile {known}\n"
        )
        kind, key, *_ = (folder / "host_key.pub").read_text().split()
        known.write_text("".join(f"[127.0.0.1]:{port} {kind} {key}\n" for port in self.ports.values()))
        self._write_set_up(files.check(content, LabFile, "nodes"))
        (folder / "console.log").touch()
        self.process = self._boot()
        self._wait_for_servers()

    def _write_set_up(self, spec: LabFile) -> None:
        lines = [_SET_UP.replace("CABLES", network.CABLES)]
        lines += [f"node {name} {_address(name)}\n" for name in NODES]
        names = {name: name for name in (*NODES, network.CABLES)}
        for number, batch in enumerate(network.batches(spec, names)):
            path = self.folder / f"batch-{number}"
            path.write_text("".join(f"{line}\n" for line in batch.lines))
            lines.append(f"ip netns exec {batch.where} {batch.tool} -batch {path}\n")
        lines += [_NODE.format(name=name, folder=self.folder, sshd=SSHD) for name in NODES]
        # a first process that ends is a panic, and one that does not wait leaves the dead behind
        lines.append("echo set up\nwhile true; do wait; sleep 1; done\n")
        (self.folder / "set-up").write_text("".join(lines))

    def _boot(self) -> subprocess.Popen:
        image, _ = qemu.kernel()
        forwards = ",".join(f"hostfwd=tcp:127.0.0.1:{port}-{_address(name)}:22" for name, port in self.ports.items())
        init = _INIT.replace("FOLDER", str(self.folder))
        argv = [*WITH_US, qemu.QEMU, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
        argv += ["-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1024"]
        argv += ["-kernel", image, "-initrd", qemu.initramfs(self.folder, init, _MODULES)]
        argv += ["-serial", f"file:{self.folder}/console.log", "-append", "console=ttyS0 panic=-1 tsc=unstable"]
        argv += ["-fsdev", "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap"]
        argv += ["-device", "virtio-9p-pci,fsdev=root,mount_tag=root"]
        argv += ["-netdev", f"user,id=net,restrict=on,{forwards}", "-device", "virtio-net-pci,netdev=net"]
        return subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL)

    def _wait_for_servers(self) -> None:
        deadline = Deadline(240)
        for port in self.ports.values():
            while not _greets(port):
                deadline.check("nodes", (self.folder / "console.log").read_text(errors="replace")[-2000:])
                time.sleep(0.5)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


def _address(node: str) -> str:
    return f"10.0.2.{21 + NODES.index(node)}"


def _greets(port: int) -> bool:
    """Whether an sshd answers: QEMU itself takes every connection."""
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as connection:
            connection.settimeout(5)
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False
