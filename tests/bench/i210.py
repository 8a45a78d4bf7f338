"""Measures what the virtual I210 is worth: clocks, launch times, TCP, isochron beside tsnlab, and speed.

python -m tests.bench.i210 [--packets N] [--megabytes N]
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import time
from collections.abc import Iterator

import tsnlab
from tsnlab.virtual_lab import VirtualLab

SENDER = """
import hashlib, random, socket
data = random.Random(1).randbytes({size})
with socket.create_connection(("192.168.1.2", 5000)) as peer:
    peer.sendall(data)
print(hashlib.sha256(data).hexdigest())
"""

RECEIVER = """
import hashlib, socket, time
with socket.create_server(("192.168.1.2", 5000)) as server:
    peer, _ = server.accept()
    digest, size, begin = hashlib.sha256(), 0, time.monotonic_ns()
    while data := peer.recv(1 << 18):
        digest.update(data)
        size += len(data)
    print(digest.hexdigest(), size * 8000 / (time.monotonic_ns() - begin))
"""

ISOCHRON_FRAMES = 500

SENT = re.compile(r"TX time to HW RX timestamp: min (\d+) max (\d+)")
LAUNCHED = re.compile(r"MAC latency: min (-?\d+) max (-?\d+)")
MISSED = re.compile(r"deadline misses: (\d+)")


def opened() -> VirtualLab:
    """The lab, as it boots."""
    lab = tsnlab.open_lab("virtual-i210")
    assert isinstance(lab, VirtualLab)
    return lab


def frames(lab: VirtualLab) -> int:
    """Frames that all its devices have received so far."""
    hosts = {name.partition(":")[::2] for name in lab.hardware.nics}
    return sum(int(lab.host(n).read_text(f"/sys/class/net/{i}/statistics/rx_packets")) for n, i in hosts)


def tcp(megabytes: int) -> Iterator[str]:
    """A transfer between the nodes, through the switch."""
    with opened() as lab:
        lab.host("node2").write_text("/run/receiver.py", RECEIVER)
        said: list[str] = []
        receiver = lab.host("node2").start(["python3", "/run/receiver.py"], said.append)
        lab.wait(lambda: False, "the receiver", lab_seconds=0.2)
        begin, before = time.monotonic(), frames(lab)
        argv = ["python3", "-c", SENDER.format(size=megabytes << 20)]
        sent = lab.host("node1").run(argv, timeout=600).stdout.strip()
        receiver.wait(60)
        seconds, count = time.monotonic() - begin, frames(lab) - before
        digest, mbit = said[0].split()
        equal = "equal" if digest == sent else "DIFFERENT"
        yield f"TCP, {megabytes} MiB through the switch: checksum {equal}, {float(mbit):.1f} Mbit/s of the lab's time"
        yield f"  {count} frames received in {seconds:.1f} s of wall time, {count / seconds:.0f} a second"


def stream(packets: int) -> Iterator[str]:
    """Clocks, Case 2, and isochron on the same lab."""
    case = tsnlab.load_case("case2", packets=packets)
    with opened() as lab:
        tsnlab.links.up(lab)
        tsnlab.links.channels(lab, case)
        tsnlab.switch.configure(lab, case)
        tsnlab.qdisc.apply(lab, case)
        tsnlab.links.vlan(lab, case)
        lab_ns, wall = lab.now_ns(), time.monotonic()
        sync = tsnlab.ptp.launch(lab).wait_locked()
        yield f"clocks locked after {(lab.now_ns() - lab_ns) / 1e9:.1f} s of the lab's time, {passed(wall)}"
        wall = time.monotonic()
        yield f"worst of all clocks in 60 s: {worst_ns(lab, 60)} ns from the lab's time, {passed(wall)}"
        lab_ns, wall = lab.now_ns(), time.monotonic()
        table = tsnlab.capture.record(lab, case, sync)
        ratio = (lab.now_ns() - lab_ns) / 1e9 / (time.monotonic() - wall)
        scheduled = table["rx_hardware"] - table["interval_start"]
        arrived, low, high = scheduled.count(), int(scheduled.min()), int(scheduled.max())
        yield f"Case 2: {arrived} of {packets} arrived, scheduled times {low} to {high} ns, spread {high - low} ns"
        yield f"  {ratio:.2f} times real time, {passed(wall)}"
        yield from isochron(lab)


def worst_ns(lab: VirtualLab, seconds: int) -> int:
    """The largest difference of any hardware clock from the lab's time, looked at ten times a second."""
    worst = 0
    assert lab.machine.calendar is not None
    for _ in range(10 * seconds):
        lab.wait(lambda: False, "a moment", lab_seconds=0.1)
        lab.machine.calendar.settle()
        now = lab.now_ns()
        worst = max(worst, *(abs(clock.read() - now) for clock in lab.hardware.clocks.values()))
    return worst


def isochron(lab: VirtualLab) -> Iterator[str]:
    """The same stream, sent and judged by isochron: a frame of the same length at the same launch time."""
    if shutil.which("isochron") is None:
        yield "isochron is not installed: apt install isochron"
        return
    words = "isochron rcv -i enp5s0 -q -O 0 -f -H 60"
    receiver = lab.host("node2").start(words.split())
    lab.wait(lambda: False, "isochron's receiver", lab_seconds=0.2)
    words = "isochron send -i eth1 -d 02:00:00:00:00:02 -v 3 -p 6 -b 0 -S 0.00125 -c 0.002 -w 0.0001 -s 112"
    more = f"-n {ISOCHRON_FRAMES} -C 192.168.1.2 -o -x -q -O 0 -F /run/iso.dat"
    lab.host("node1").run([*words.split(), *more.split()])
    # the last frame is forwarded while its sender, which is done, has the one processor of all nodes: 500 ns later
    words = f"isochron report -F /run/iso.dat -m -S {ISOCHRON_FRAMES - 1}"
    said = lab.host("node1").run(words.split()).stdout
    receiver.stop()
    arrival, launch, missed = SENT.search(said), LAUNCHED.search(said), MISSED.search(said)
    assert arrival is not None
    assert launch is not None
    yield f"isochron: launched {launch[1]} to {launch[2]} ns after the launch time"
    yield f"  arrived {arrival[1]} to {arrival[2]} ns after it, {missed[1] if missed else 0} deadlines missed"


def passed(since: float) -> str:
    """Wall time since then, in words."""
    return f"{time.monotonic() - since:.1f} s of wall time"


def main() -> int:
    """Prints what was measured."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--packets", type=int, default=5000)
    parser.add_argument("--megabytes", type=int, default=64)
    options = parser.parse_args()
    for part in (stream(options.packets), tcp(options.megabytes)):
        for line in part:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
