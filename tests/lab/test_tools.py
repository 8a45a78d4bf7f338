"""Streams of other programs, and what NICs stamp, on the virtual lab's Intel I210."""

import shutil

import pytest

import tsnlab
from tsnlab.errors import MeasurementError
from tsnlab.packets import info

pytestmark = pytest.mark.lab


def _prepared(lab, tool):
    case = tsnlab.load_case("case2", lab, packets=100)
    case = case.model_copy(update={"stream": case.stream.model_copy(update={"tool": tool})})
    tsnlab.links.vlan(lab, case)
    tsnlab.links.channels(lab, case)
    tsnlab.qdisc.apply(lab, case)
    tsnlab.switch.configure(lab, case)
    return case


@pytest.fixture
def i210(linux, tmp_path):
    with tsnlab.open_lab("virtual-i210", tmp_path) as lab:
        yield lab


needs_isochron = pytest.mark.skipif(
    shutil.which("isochron") is None, reason="no isochron here: apt-get install isochron"
)


@needs_isochron
def test_isochron_is_measured_by_the_nics_and_leaves_ptp4l_its_timestamps(i210):
    case = _prepared(i210, "isochron")
    frame = tsnlab.capture.record(i210, case, tsnlab.ptp.launch(i210).wait_locked())
    about = info(frame)
    assert (about.sent, about.lost, about.arrival) == (100, 0, "rx_hardware")
    assert about.sync["ok"], about.sync["why"]
    assert about.timestamps["sent"].startswith("none (igb on node1:eth1")
    scheduled = frame["rx_hardware"] - frame["interval_start"]
    assert case.stream.launch_ns < scheduled.min() <= scheduled.max() < case.stream.launch_ns + 5_000


def test_without_ptp4l_sent_frames_are_stamped_as_well(i210):
    case = _prepared(i210, "tsnlab")
    frame = tsnlab.capture.record(i210, case)
    assert info(frame).timestamps == {"sent": "hardware", "received": "hardware"}
    assert frame["tx_kernel_hardware"].notna().all()
    assert (frame["tx_kernel_netsched"] > frame["tx_program"]).all()


@needs_isochron
def test_isochron_says_what_it_lacks_where_no_nic_has_a_clock(lab):
    with pytest.raises(MeasurementError, match="enp5s0 does not have a PHC"):
        tsnlab.capture.record(lab, _prepared(lab, "isochron"))
