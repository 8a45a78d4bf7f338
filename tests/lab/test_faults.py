"""Faults of time, made to happen on the virtual lab: each diagnosis names its cause, and where it is."""

import time

import pytest

import tsnlab
from tsnlab import faults
from tsnlab.errors import SyncError
from tsnlab.hosts.local import LocalHost
from tsnlab.ptp import system
from tsnlab.ptp.diagnosis import jump_causes, tai_causes

pytestmark = pytest.mark.lab

DEADLINE_S = 20.0


@pytest.fixture(scope="module")
def lab():
    with tsnlab.open_lab("virtual") as lab:
        yield lab


@pytest.fixture
def sync(lab):
    sync = tsnlab.ptp.launch(lab).wait_locked()
    yield sync
    sync.stop()


def later(lab, sync, condition=None, seconds=DEADLINE_S):
    """Lets the lab run until the fault shows; gives what the diagnosis names."""
    lab.wait(condition or (lambda: not sync.locked), "the fault to show", lab_seconds=seconds)
    return [(cause.kind, cause.node) for cause in sync.diagnose()]


def test_healthy_clocks_have_no_diagnosis(sync):
    assert sync.diagnose() == []
    # phc2sys runs on all three, each interface's clock is beside the system clock by a comparison of its own
    assert [clock.node for clock in sync.phc2sys] == ["switch", "node1", "node2"]
    assert all(clock.offsets[-1][1].servo == 2 for clock in sync.phc2sys)
    assert sync.apart() == []


def test_a_grandmaster_that_is_gone(lab, sync):
    with faults.grandmaster_gone(sync):
        assert later(lab, sync)[0] == ("grandmaster gone", "switch")
        with pytest.raises(SyncError, match=r"grandmaster gone \(switch\): its ptp4l was ended by signal 9"):
            sync.wait_locked(5)


def test_a_ptp4l_that_was_killed_is_started_anew(lab, sync):
    with faults.ptp4l_killed(sync, "node2"):
        assert later(lab, sync)[0] == ("ptp4l ended", "node2")
        found = sync.during(sync.since_ns, lab.now_ns())
        assert (found["ok"], found["restarts"]) == (False, 1)
        assert "ptp4l on node2 was ended by signal 9, and was started anew" in found["why"]
    assert sync.wait_locked().diagnose() == []
    assert "node2: SLAVE" in str(sync)


def test_a_ptp4l_that_crashes_again_and_again_is_given_up(lab, sync):
    while sync.clocks[0].restarts_left:
        faults.crash(sync, "node1")
        lab.wait(lambda: sync.clocks[0].ended, "the crash", lab_seconds=5)
        sync.look()
    lab.wait(lambda: False, "the last ptp4l", lab_seconds=1)
    faults.crash(sync, "node1")
    with pytest.raises(SyncError, match=r"ptp4l ended \(node1\): it was ended by signal 11") as caught:
        sync.wait_locked(30)
    assert "started anew 3 times" in str(caught.value)


def test_a_link_that_is_down_and_then_back(lab, sync):
    with faults.link_down(lab, lab.talker):
        assert later(lab, sync)[0] == ("link down", "node1")
    assert later(lab, sync, lambda: sync.locked, 60) == [("link flap", "node1")]
    assert "left SLAVE" in sync.during(sync.since_ns, lab.now_ns())["why"]
    # once it is found locked again, the flap is history
    assert sync.wait_locked().diagnose() == []


def test_a_slave_behind_a_closed_gate(lab, sync):
    with faults.closed_gate(lab, lab.talker):
        (cause, *_) = later(lab, sync)
        assert cause == ("closed gate", "node1")
        with pytest.raises(SyncError, match=r"priority 0\) are of class 0, whose gate never opens"):
            sync.wait_locked(2)


def test_a_clock_that_jumped(lab, sync):
    with faults.clock_jump(lab, 0.5):
        found = later(lab, sync, seconds=1)
        # one kernel, one system clock: it is that of all three
        assert found[0] == ("clock jump", "switch, node1, node2")
        assert {kind for kind, _ in found} == {"clock jump", "clocks of a node apart"}
        with pytest.raises(SyncError, match=r"CLOCK_REALTIME went 500 ms"):
            sync.wait_locked(5)
        assert "has jumped by" in sync.during(sync.since_ns, lab.now_ns())["why"]
    # set back, the clocks lock again
    assert sync.wait_locked().diagnose() == []


def test_a_clock_of_one_interface_that_jumped(lab, sync):
    with faults.interface_clock_jump(lab, sync, "node2", 0.5):
        assert later(lab, sync) == [("clock jump", "node2"), ("clocks of a node apart", "node2")]
        assert "phc2sys says: clockcheck: clock jumped forward" in sync.explained()
    # phc2sys sets it back
    assert sync.wait_locked().diagnose() == []


def test_a_wrong_tai_offset(lab, sync):
    with faults.wrong_tai_offset(lab, 37):
        assert later(lab, sync, seconds=1) == [("wrong TAI offset", "switch, node1, node2")]
        with pytest.raises(SyncError, match="CLOCK_TAI is 37 s ahead of CLOCK_REALTIME"):
            sync.wait_locked(5)


def test_nodes_in_different_domains(lab):
    sync = tsnlab.ptp.launch(lab, options={"node2": {"domainNumber": "7"}})
    with pytest.raises(SyncError, match=r"wrong domain \(node2\): domainNumber is 7, but unset on switch"):
        sync.wait_locked(15)
    sync.stop()


def test_a_neighbour_that_is_too_far_away(lab):
    sync = tsnlab.ptp.launch(lab, options={"node1": {"neighborPropDelayThresh": "800", "follow_up_info": "1"}})
    with pytest.raises(SyncError, match=r"neighbour delay \(node1\): the neighbour is \d+ ns away, 800 ns are allowed"):
        sync.wait_locked(15)
    sync.stop()


def test_two_nodes_that_both_want_to_be_the_source(lab):
    # nobody but node1 is heard by node1: its cable leads to a port that is not asked
    sync = tsnlab.ptp.launch(lab, options={"node1": {"gmCapable": "1", "domainNumber": "7"}})
    with pytest.raises(SyncError, match=r"gmCapable conflict \(node1\): it took the part of switch"):
        sync.wait_locked(20)
    sync.stop()


def test_another_ptp4l_on_a_node(lab, sync):
    stranger = lab.host("node3").start(["ptp4l", "-i", "enp5s0", "-S", "-m", "-q"])
    lab.wait(lambda: False, "the stranger", lab_seconds=1)
    (cause,) = sync.diagnose()
    assert (cause.kind, cause.why[:18]) == ("another daemon", "4 ptp4l run there,")
    stranger.stop()


def test_the_clock_of_one_virtual_nic_that_jumped(linux):
    """An I210 of the virtual lab, by whose clock ptp4l stamps: the fault is that node's alone."""
    with tsnlab.open_lab("virtual-i210") as lab:
        sync = tsnlab.ptp.launch(lab).wait_locked()
        assert {place.timestamping for place in sync.places} == {"hardware"}
        with faults.interface_clock_jump(lab, sync, "node2", 0.5):
            named = later(lab, sync)
        assert ("clocks of a node apart", "node2") in named
        assert {node for _, node in named} == {"node2"}
        # ptp4l sets its clock in the beginning only: started anew, it does
        assert sync.again("node2").wait_locked().diagnose() == []
        sync.stop()


# --- one node only ----------------------------------------------------------------------------------


class TwoKernels:
    """Two virtual labs as one: node2 runs on the other's kernel, so that its system clock is its own."""

    def __init__(self, lab, other):
        self._hosts = {"switch": lab.host("switch"), "node1": lab.host("node1"), "node2": other.host("node2")}

    def host(self, node):
        return self._hosts[node]


def test_a_fault_of_one_nodes_system_clock_names_that_node(lab):
    everyone = ["switch", "node1", "node2"]
    with tsnlab.open_lab("virtual") as other:
        both = TwoKernels(lab, other)
        groups = system.kernels(both, everyone)
        assert groups == [("switch", "node1"), ("node2",)]
        before = [system.read(both, nodes) for nodes in groups]
        with faults.wrong_tai_offset(other, 37), faults.clock_jump(other, 0.5):
            now = [system.read(both, nodes) for nodes in groups]
            (tai,) = tai_causes(system.wrong_tai(now))
            assert (tai.kind, tai.node) == ("wrong TAI offset", "node2")
            (jump,) = jump_causes(system.jumps(before, now, limit_ns=1_000))
            assert (jump.kind, jump.node) == ("clock jump", "node2")
            assert "CLOCK_REALTIME went 500 ms" in jump.why


def test_readings_of_this_machine_and_of_the_lab_are_two_clocks(lab):
    here = LocalHost("here")
    here.shares_files = True  # it is this machine

    class Mixed:
        def host(self, node):
            return here if node == "here" else lab.host(node)

    groups = system.kernels(Mixed(), ["node1", "here", "node2"])
    assert groups == [("node1", "node2"), ("here",)]
    readings = [system.read(Mixed(), nodes) for nodes in groups]
    # the lab lives in 2020; this machine's TAI offset is what its own kernel says
    assert readings[1].realtime_ns - readings[0].realtime_ns > 10**17
    assert readings[1].tai_offset_s == round(time.clock_gettime(time.CLOCK_TAI) - time.time())
