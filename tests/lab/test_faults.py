"""Six faults of time, made to happen on the virtual lab: each diagnosis names its cause."""

import pytest

import tsnlab
from tsnlab import faults
from tsnlab.errors import SyncError

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


def test_a_grandmaster_that_is_gone(lab, sync):
    with faults.grandmaster_gone(sync):
        assert later(lab, sync)[0] == ("grandmaster gone", "switch")
        with pytest.raises(SyncError, match=r"grandmaster gone \(switch\): its ptp4l was ended by signal 9"):
            sync.wait_locked(5)


def test_a_ptp4l_that_was_killed(lab, sync):
    with faults.ptp4l_killed(sync, "node2"):
        assert later(lab, sync) == [("ptp4l ended", "node2")]
        assert sync.during(sync.since_ns, lab.now_ns())["ok"] is False


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
        assert {kind for kind, _ in later(lab, sync, seconds=1)} == {"clock jump"}
        with pytest.raises(SyncError, match=r"CLOCK_REALTIME went 500 ms"):
            sync.wait_locked(5)
        assert "has jumped by" in sync.during(sync.since_ns, lab.now_ns())["why"]
    # set back, the clocks lock again
    assert sync.wait_locked().diagnose() == []


def test_a_wrong_tai_offset(lab, sync):
    with faults.wrong_tai_offset(lab, 37):
        assert later(lab, sync, seconds=1) == [("wrong TAI offset", "node1")]
        with pytest.raises(SyncError, match="CLOCK_TAI is 37 s ahead of CLOCK_REALTIME"):
            sync.wait_locked(5)


def test_nodes_in_different_domains(lab):
    sync = tsnlab.ptp.launch(lab, options={"node2": {"domainNumber": "7"}})
    with pytest.raises(SyncError, match=r"wrong domain \(node2\): domainNumber is 7, but unset on switch"):
        sync.wait_locked(15)
    sync.stop()


def test_a_neighbour_that_is_too_far_away(lab):
    sync = tsnlab.ptp.launch(lab, options={"node1": {"neighborPropDelayThresh": "800"}})
    with pytest.raises(SyncError, match=r"neighbour delay \(node1\): the neighbour is \d+ ns away, 800 ns are allowed"):
        sync.wait_locked(15)
    sync.stop()


def test_phc2sys_steers_a_clock_of_the_switch(lab):
    sync = tsnlab.ptp.launch(lab, with_phc2sys=True).wait_locked()
    (follower,) = sync.phc2sys
    assert follower.offsets[-1][1].servo == 2
    sync.stop()
