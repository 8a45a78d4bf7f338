"""A whole measurement over SSH: on real sshds, and a real kernel with taprio and etf (in QEMU)."""

import json
import shutil
import threading
import time

import pytest

import tsnlab
from tests.remote import nodes as machines
from tsnlab import calibration
from tsnlab.best_effort import BestEffort
from tsnlab.deadline import Deadline
from tsnlab.errors import MeasurementError
from tsnlab.formats import parquet
from tsnlab.hardware import HardwareLab
from tsnlab.hosts.ssh import SshHost
from tsnlab.lab import load_lab_file
from tsnlab.packets import info
from tsnlab.qdisc import proof
from tsnlab.run import run

CYCLE_US = 20_000

_STATE = """\
ip -o link show | sed 's/@.*//'; tc qdisc show; bridge vlan show; ls -A /root /tmp /run
pgrep -x 'ptp4l|phc2sys|python3|iperf3'
exit 0
"""

# every connection of the node's sshd but not the sshd itself, which serves the next one
_CUT = """\
p=$$; while [ "$(cat /proc/$p/comm)" != sshd ]; do p=$(awk '/^PPid/ {print $2}' /proc/$p/status); done
pkill -9 -x sshd -P "$(awk '/^PPid/ {print $2}' /proc/$p/status)"
"""


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    if reason := machines.missing():
        pytest.skip(reason)
    found = machines.Nodes(tmp_path_factory.mktemp("nodes"))
    yield found
    found.stop()


@pytest.fixture
def lab(nodes, tmp_path):
    with HardwareLab(load_lab_file(nodes.lab_file), tmp_path, nodes.ssh_config) as lab:
        yield lab


def _states(lab):
    return {name: lab.host(name).run(["sh", "-c", _STATE]).stdout for name in ("node1", "node2", "switch")}


def _prepared(lab, name, **parameters):
    case = tsnlab.load_case(name, lab, cycle_us=CYCLE_US, **parameters)
    for step in (tsnlab.links.vlan, tsnlab.links.channels, tsnlab.qdisc.apply, tsnlab.switch.configure):
        step(lab, case)
    return case


def test_case_2_is_measured_and_leaves_the_nodes_as_they_were(lab, tmp_path):
    before = _states(lab)
    case = _prepared(lab, "case2", packets=100, offset_us=90, etf_delta_us=400)
    frame = tsnlab.capture.record(lab, case)
    about = info(frame)
    assert about.complete
    assert about.sent == 100
    assert about.received > 0
    assert about.timestamps["received"].startswith("kernel (node2:enp5s0 has no clock")
    assert set(map(str, frame.dtypes)) == {"Int64"}
    # taprio holds every packet back until its gate opens, whatever the clock
    assert (frame["rx_kernel"] - frame["interval_start"]).min() >= case.stream.window[0]
    lab.undo()
    assert _states(lab) == before
    lines = [json.loads(line) for line in (tmp_path / "transcript.jsonl").read_text().splitlines()]
    commands = [" ".join(line["argv"]) for line in lines]
    for word in ("taprio", "etf", "listener.py", "talker.py", "ip link add"):
        assert any(word in command for command in commands), word
    assert not (tmp_path / "journal.jsonl").exists()


def test_the_notebook_of_case_1_measures_them_or_says_why_not(nodes, tmp_path, monkeypatch):
    (tmp_path / "home/.ssh").mkdir(parents=True)
    shutil.copy(nodes.ssh_config, tmp_path / "home/.ssh/config")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with HardwareLab(load_lab_file(nodes.lab_file), None, nodes.ssh_config) as lab:
        before = _states(lab)
    parameters = {"packets": 50, "cycle_us": CYCLE_US}
    folder = run("case1", lab_file=nodes.lab_file, parameters=parameters, results=tmp_path / "results", show=False)
    about = json.loads((folder / "run.json").read_text())
    # an emulated machine may keep a message of ptp4l's waiting for longer than ptp4l does: then no number counts
    assert about["status"] == "done" or "the clocks were not synchronised throughout" in about["error"], about["error"]
    assert about["sync"]["ok"] == (about["status"] == "done")
    assert about["badges"] == ["machines emulated by QEMU", "clocks within 20 ms count as synchronised"]
    assert about["packets"]["received"] == 50
    assert (folder / "report.html").is_file()
    assert not (folder / "journal.jsonl").exists()
    with HardwareLab(load_lab_file(nodes.lab_file), None, nodes.ssh_config) as lab:
        assert _states(lab) == before


def test_the_path_is_calibrated_from_afar(lab):
    found = calibration.path_delay(lab)
    assert len(found.delays_ns) == proof.FRAMES
    assert found.sender_ns > 0


def test_iperf3_makes_the_load_and_counts_what_arrives(lab):
    load = BestEffort(lab, tsnlab.load_case("case3", lab, load_tool="iperf3", load_mbps=2.0).load, None)
    load.start()
    lab.wait(lambda: False, "some load", lab_seconds=2)
    load.stop()
    counts = load.counts()
    assert 0 < counts["frames_received"] <= counts["frames_sent"]
    assert "iperf3" not in lab.host("node2").run(["sh", "-c", "ps -A -o comm="]).stdout


def test_a_connection_that_dies_leaves_the_packets_so_far(lab, nodes, tmp_path):
    case = _prepared(lab, "case1", packets=5000)
    address = lab.spec.nodes["node2"].ssh
    other = SshHost("other", address, config=nodes.ssh_config)
    other.run(["true"])
    cut = threading.Thread(target=_cut_once_packets_come, args=(tmp_path / "capture.jsonl", other))
    cut.start()
    with pytest.raises(MeasurementError, match=r"node2: the connection to .* was lost") as caught:
        tsnlab.capture.record(lab, case)
    cut.join()
    other.close()
    assert address in str(caught.value)
    kept = info(parquet.read(tmp_path / "packets.parquet"))
    assert kept.complete is False
    assert kept.sent > 0
    assert kept.received > 0


def _cut_once_packets_come(said, host):
    deadline = Deadline(60)
    while not said.exists() or '{"from":"listener","said":{"packets"' not in said.read_text():
        deadline.check("packets")
        time.sleep(0.2)
    host.start(["sh", "-c", _CUT])
