"""A whole measurement over SSH: on real sshds, and a real kernel with taprio and etf (in QEMU)."""

import json
import threading

import pytest

import tsnlab
from tests.remote import nodes as machines
from tsnlab.errors import MeasurementError
from tsnlab.formats import parquet
from tsnlab.hardware import HardwareLab
from tsnlab.hosts.ssh import SshHost
from tsnlab.lab import load_lab_file
from tsnlab.packets import info

CYCLE_US = 20_000

_STATE = "ip -o link show | sed 's/@.*//'; tc qdisc show; bridge vlan show; ls -A /root /tmp"

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


def test_a_connection_that_dies_leaves_the_packets_so_far(lab, nodes, tmp_path):
    case = _prepared(lab, "case1", packets=5000)
    address = lab.spec.nodes["node2"].ssh
    other = SshHost("other", address, config=nodes.ssh_config)
    other.run(["true"])
    cut = threading.Timer(15, lambda: other.start(["sh", "-c", _CUT]))
    cut.start()
    with pytest.raises(MeasurementError, match=r"node2: the connection to .* was lost") as caught:
        tsnlab.capture.record(lab, case)
    cut.join()
    other.close()
    assert address in str(caught.value)
    kept = info(parquet.read(tmp_path / "packets.parquet"))
    assert kept.complete is False
    assert kept.sent > 0
