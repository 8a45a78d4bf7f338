"""A measurement whose clocks lost their synchronisation is marked, and repeated if that is asked for."""

import pandas as pd
import pytest

import tsnlab
from tsnlab import capture, faults, packets
from tsnlab.errors import SyncError, VerdictError

pytestmark = pytest.mark.lab


@pytest.fixture
def prepared(lab):
    case = tsnlab.load_case("case1", packets=300)
    tsnlab.links.vlan(lab, case)
    tsnlab.switch.configure(lab, case)
    return lab, case, tsnlab.ptp.launch(lab).wait_locked()


@pytest.fixture
def unplugged_once(monkeypatch):
    """The listener's cable is unplugged during the first measurement; gives how many there were."""
    measured = []
    run = capture.Measurement.run

    def with_a_fault(self):
        measured.append(self)
        run(self)
        if len(measured) == 1:
            faults.link_flap(self.lab, self.lab.listener)

    monkeypatch.setattr(capture.Measurement, "run", with_a_fault)
    return measured


def test_after_a_step_that_takes_a_link_down_the_clocks_are_waited_for_anew(prepared):
    lab, _, sync = prepared
    case = tsnlab.load_case("case2", packets=100)
    tsnlab.links.channels(lab, case)
    tsnlab.qdisc.apply(lab, case)
    assert sync.outdated
    assert not sync.locked
    frame = capture.record(lab, case, sync)
    assert not sync.outdated
    assert sync.since_ns < packets.taken(frame["interval_start"]).min()
    assert packets.info(frame).sync["ok"] is True


def test_a_run_that_lost_sync_is_invalid(prepared, unplugged_once):
    lab, case, sync = prepared
    frame = capture.record(lab, case, sync)
    assert packets.info(frame).sync["ok"] is False
    assert "node2 left SLAVE for FAULTY" in packets.info(frame).sync["why"]
    with pytest.raises((SyncError, VerdictError), match="not synchronised"):
        tsnlab.verdict.check(frame, case)
    kept = pd.read_parquet(lab.folder / "sync.parquet")
    assert set(kept["node"]) == {"switch", "node1", "node2"}


def test_a_run_that_lost_sync_is_repeated_if_that_is_asked_for(prepared, unplugged_once):
    lab, case, sync = prepared
    frame = capture.record(lab, case, sync, attempts=3)
    assert len(unplugged_once) == 2
    assert packets.info(frame).sync["ok"] is True
    assert packets.info(frame).received == 300
