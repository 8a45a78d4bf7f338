"""The virtual I210 under the kernel's unmodified igb: the guide's commands, verbatim, and what they are worth."""

import hashlib
import json
import re

import pytest

import tsnlab
from tsnlab import device_faults, faults, links, ptp, qdisc, switch
from tsnlab.errors import DeviceError
from tsnlab.node import wire
from tsnlab.packets import info
from tsnlab.virtual.i210 import registers as r

pytestmark = pytest.mark.lab

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
    print(digest.hexdigest(), size * 8 * 1000 // (time.monotonic_ns() - begin))
"""


@pytest.fixture(scope="module")
def case():
    return tsnlab.load_case("case2", packets=200)


@pytest.fixture(scope="module")
def lab(case):
    with tsnlab.open_lab("virtual-i210") as lab:
        configure(lab, case)
        yield lab


@pytest.fixture(scope="module")
def sync(lab):
    sync = ptp.launch(lab).wait_locked(threshold_ns=100)
    yield sync
    sync.stop()


def configure(lab, case):
    """The guide's steps for Case 2, in its order."""
    links.up(lab)
    links.channels(lab, case)
    switch.configure(lab, case)
    qdisc.apply(lab, case)
    links.vlan(lab, case)


def errors_ns(lab):
    """How far every hardware clock is from the lab's time."""
    lab.machine.calendar.settle()
    now = lab.now_ns()
    return {name: clock.read() - now for name, clock in lab.hardware.clocks.items()}


def later(lab, sync, seconds=30.0):
    """Lets the lab run until a fault shows; gives what the diagnosis names."""
    assert lab.wait(lambda: not sync.locked, "the fault to show", lab_seconds=seconds)
    return [(cause.kind, cause.node) for cause in sync.diagnose()]


def test_the_nodes_have_the_guides_nic_with_a_clock_of_its_own(lab):
    host = lab.host("node1")
    place = host.run(["readlink", "-f", "/sys/class/net/eth1/device"]).stdout.strip()
    found = [host.read_text(f"{place}/{name}").strip() for name in ("vendor", "device", "class")]
    assert found == ["0x8086", "0x157b", "0x020000"]
    assert "driver: igb" in host.run(["ethtool", "-i", "eth1"]).stdout
    said = host.run(["ethtool", "-T", "eth1"]).stdout
    assert {"hardware-transmit", "hardware-receive", "hardware-raw-clock"} <= set(said.split())
    assert "PTP Hardware Clock: 0" in said
    assert "Speed: 1000Mb/s" in host.run(["ethtool", "eth1"]).stdout


def test_the_guides_qdiscs_are_there_with_offload(lab):
    found = json.loads(lab.host("node1").run(["tc", "-j", "qdisc", "show", "dev", "eth1"]).stdout)
    etf = next(one for one in found if one["kind"] == "etf")
    assert (etf["parent"], etf["options"]["delta"], etf["options"]["offload"]) == ("100:2", 5_000_000, "on")


def test_offload_of_queue_2_is_refused_as_on_hardware(lab):
    argv = [
        "tc",
        "qdisc",
        "replace",
        "dev",
        "eth1",
        "parent",
        "100:3",
        "etf",
        "clockid",
        "CLOCK_TAI",
        "delta",
        "5000000",
    ]
    refused = lab.host("node1").run([*argv, "offload"], check=False)
    assert refused.returncode != 0
    assert "failed to setup ETF hardware offload" in refused.stderr


def test_clocks_that_are_seconds_and_ppm_apart_lock_below_100_ns(lab, sync):
    assert {place.node: place.timestamping for place in sync.places} == dict.fromkeys(
        ("switch", "node1", "node2"), "hardware"
    )
    worst = 0
    for _ in range(50):
        lab.wait(lambda: False, "a moment", lab_seconds=0.1)
        worst = max(worst, *map(abs, errors_ns(lab).values()))
    assert worst < 100
    frequency = {node: lab.spec.nodes[node].clock.error_ppb for node in ("node1", "node2")}
    assert frequency == {"node1": 25_000, "node2": -40_000}


def test_case_2_arrives_when_it_is_derived_to_within_the_guides_spread(lab, case, sync):
    packets = tsnlab.capture.record(lab, case, sync=sync)
    scheduled = packets["rx_hardware"] - packets["interval_start"]
    assert len(packets) == case.stream.packets
    assert scheduled.notna().all()
    sent = json.loads(lab.host("node1").run(["ip", "-j", "-s", "link", "show", "dev", "eth1"]).stdout)
    assert sent[0]["stats64"]["tx"]["errors"] == 0
    tag, checksum = 4, 4
    launch = case.stream.launch_ns // 32 * 32
    # two start frame delimiters, two cables, and the whole frame once, as the switch stores it
    expected = launch + 2 * 64 + 2 * 500 + (wire.FRAME_LENGTH + tag + checksum) * 8
    assert (scheduled - expected).abs().max() < 100
    assert scheduled.max() - scheduled.min() < 155


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (lambda lab, end: device_faults.clock_step(lab, end, 1_000_000), "offset too large"),
        (lambda lab, end: device_faults.lost_stamps(lab, end, 1), "missing transmit timestamps"),
    ],
    ids=["clock-step", "lost-stamp"],
)
def test_a_fault_is_named_and_recovered_from(lab, sync, fault, kind):
    fault(lab, lab.listener)
    assert (kind, "node2") in later(lab, sync)
    sync.wait_locked(90, threshold_ns=100)


def test_a_clock_that_runs_away_is_named_and_recovered_from(lab, sync):
    with device_faults.runaway_clock(lab, lab.listener, 200_000):
        assert ("offset too large", "node2") in later(lab, sync)
    sync.wait_locked(90, threshold_ns=100)


def test_a_link_that_flaps_stops_the_talkers_gates_until_its_schedule_is_set_again(lab, case, sync):
    with faults.link_down(lab, lab.talker):
        assert ("link down", "node1") in later(lab, sync)
    assert ("closed gate", "node1") in [(c.kind, c.node) for c in waited(lab, sync, 10).diagnose()]
    assert qdisc.apply(lab, case).changed
    sync.again("node1").wait_locked(90, threshold_ns=100)


def test_a_launch_time_that_has_passed_is_counted_and_not_sent(lab, case, sync):
    # 1 us after its gate opens the talker is still asleep
    latency = case.stream.wakeup_latency.model_copy(update={"minimum": 202_000, "median": 220_000, "sigma": 0.1})
    changed = {"window": (200_000, 300_000), "offset_in_window": 1_000, "packets": 20, "wakeup_latency": latency}
    late = case.model_copy(update={"stream": case.stream.model_copy(update=changed)})
    about = info(tsnlab.capture.record(lab, late, sync=sync))
    assert (about.received, about.late) == (0, {"invalid launch time": 20 + about.warm_up})


LAUNCH = """
import socket, struct, time
taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
taken.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, 6)
taken.setsockopt(socket.SOL_SOCKET, 61, struct.pack("iI", time.CLOCK_TAI, 0))  # SO_TXTIME
for ahead_ms in ({near}, {far}):
    # in the gate of its class: taprio refuses any other launch time
    launch = (time.clock_gettime_ns(time.CLOCK_TAI) // 1_000_000 + ahead_ms) * 1_000_000 + 250_000
    message = [struct.pack("q", launch)]
    taken.sendmsg(message, [(socket.SOL_SOCKET, 61, message[0])], 0, ("192.168.1.2", 5001))
    time.sleep(1.5)
"""

ARRIVE = """
import socket, struct, time
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as arrived:
    arrived.bind(("192.168.1.2", 5001))
    print("ready", flush=True)
    while True:
        launch, = struct.unpack("q", arrived.recv(8))
        print(time.clock_gettime_ns(time.CLOCK_TAI) - launch, flush=True)
"""


def test_a_launch_time_more_than_half_a_second_ahead_has_passed_for_the_nic(lab, case, sync):
    far = case.model_copy(update={"etf": case.etf.model_copy(update={"offload_delta": 900_000_000})})
    qdisc.apply(lab, far)
    sync.again("node1").wait_locked(90, threshold_ns=100)
    said = []
    receiver = lab.host("node2").start(["python3", "-c", ARRIVE], said.append)
    assert lab.wait(lambda: bool(said), "the receiver", lab_seconds=5)
    lab.host("node1").run(["python3", "-c", LAUNCH.format(near=400, far=600)])
    receiver.stop()
    near_ns, far_ns = map(int, said[1:])
    assert 0 < near_ns < 10_000
    # 25 bits of 32 ns tell half a second from the half that is over: it goes at once, when the gate lets it
    assert -600_250_000 < far_ns < -598_000_000
    qdisc.apply(lab, case)
    sync.again("node1").wait_locked(90, threshold_ns=100)


def waited(lab, sync, seconds):
    lab.wait(lambda: False, "what becomes of it", lab_seconds=seconds)
    return sync


def test_two_labs_do_the_same_to_the_nanosecond(case):
    assert repeated(case) == repeated(case)


def repeated(case):
    """The packets of a short capture, as one hash."""
    with tsnlab.open_lab("virtual-i210") as lab:
        configure(lab, case)
        sync = ptp.launch(lab).wait_locked()
        packets = tsnlab.capture.record(lab, case, sync=sync)
        return hashlib.sha256(packets.to_csv().encode()).hexdigest()


def test_a_nic_that_dies_is_gone_as_on_hardware(lab, sync):
    device_faults.die(lab, lab.listener)
    later(lab, sync)
    assert "PCIe link lost" in lab.host("node2").run(["dmesg"]).stdout
    assert not re.search("LOWER_UP", lab.host("switch").run(["ip", "-br", "link", "show", "dev", "CE03"]).stdout)


@pytest.fixture
def untouched():
    """A lab as it boots."""
    with tsnlab.open_lab("virtual-i210") as lab:
        yield lab


def send_over_tcp(lab, size):
    """Sends so many random bytes from node1 to node2; gives both hashes and the rate in Mbit/s."""
    lab.host("node2").write_text("/run/receiver.py", RECEIVER)
    said = []
    receiver = lab.host("node2").start(["python3", "/run/receiver.py"], said.append)
    lab.wait(lambda: False, "the receiver", lab_seconds=0.2)
    sent = lab.host("node1").run(["python3", "-c", SENDER.format(size=size)]).stdout.strip()
    receiver.wait(60)
    digest, mbit = said[0].split()
    return sent, digest, int(mbit)


def test_tcp_runs_at_line_rate_and_loses_nothing_and_a_device_that_is_misused_ends_the_lab(untouched):
    sent, received, mbit = send_over_tcp(untouched, 4 << 20)
    assert sent == received
    # 1448 of 1538 bytes on the line are payload
    assert 930 < mbit <= 942
    nic = untouched.hardware.nics["node1:eth1"]
    # as if the driver had put its ring where there is no memory
    nic.registers.kept[r.TDBAH] = 0xFFFF
    with pytest.raises(DeviceError, match=r"node1:eth1.*transmit queue 0"):
        untouched.host("node1").run(["python3", "-c", SENDER.format(size=1)], check=False)
    assert untouched.closed
