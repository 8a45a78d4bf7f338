"""A PCI device given to vfio-pci and back, by a real kernel with an IOMMU (in QEMU)."""

from types import SimpleNamespace

import pytest

from tests.remote import qemu
from tests.remote.qemu import ALONE, SHARED, UPLINK
from tsnlab import pci, vfio
from tsnlab.errors import StepError
from tsnlab.journal import Journal


@pytest.fixture(scope="module")
def guest(tmp_path_factory):
    if reason := qemu.missing():
        pytest.skip(reason)
    guest = qemu.Guest(tmp_path_factory.mktemp("qemu"))
    yield guest
    guest.stop()


@pytest.fixture
def lab(guest):
    lab = SimpleNamespace(journal=Journal(None), host=lambda node: guest)
    yield lab
    lab.journal.unwind(lab.host)


def _device(guest, bdf):
    return pci.find(pci.scan(guest), bdf, "node1")


def _group_files(guest):
    return guest.run(["ls", "/dev/vfio"], check=False).stdout.split()


def test_a_device_goes_to_vfio_and_its_group_file_appears(lab, guest):
    before = _device(guest, ALONE)
    assert (before.driver, len(before.interfaces)) == ("e1000e", 1)
    steps = vfio.bind(lab, "node1", before.interfaces[0])
    assert "driver e1000e → driver vfio-pci" in str(steps)
    assert str(before.group) in _group_files(guest)
    assert vfio.group_file(lab, "node1", ALONE) == f"/dev/vfio/{before.group}"
    assert not vfio.bind(lab, "node1", ALONE).changed


def test_undo_restores_the_driver(lab, guest):
    before = _device(guest, ALONE)
    vfio.bind(lab, "node1", ALONE)
    lab.journal.unwind(lab.host)
    assert _device(guest, ALONE) == before
    assert str(before.group) not in _group_files(guest)


@pytest.mark.parametrize("method", ["driver_override", "new_id"])
def test_the_undo_does_no_harm_to_a_node_that_has_booted_since(lab, guest, method):
    # after a boot the device is with its driver again, and only the journal knows of the change
    before = _device(guest, ALONE)
    lab.journal.will_change("node1", vfio._undo(before, method))
    lab.journal.unwind(lab.host)
    assert _device(guest, ALONE) == before


def test_release_restores_it_as_well(lab, guest):
    vfio.bind(lab, "node1", ALONE)
    assert vfio.release(lab, "node1", ALONE).changed
    assert _device(guest, ALONE).driver == "e1000e"
    assert not vfio.release(lab, "node1", ALONE).changed


def test_the_guides_way_binds_and_is_undone(lab, guest):
    steps = vfio.bind(lab, "node1", ALONE, method="new_id")
    assert _device(guest, ALONE).driver == "vfio-pci"
    assert "echo 8086 10d3 > /sys/bus/pci/drivers/vfio-pci/new_id" in str(steps)
    lab.journal.unwind(lab.host)
    assert _device(guest, ALONE).driver == "e1000e"
    assert _device(guest, UPLINK).driver == "e1000e"


def test_the_interface_one_came_by_is_kept(lab, guest):
    with pytest.raises(StepError, match="is how the node is reached"):
        vfio.bind(lab, "node1", UPLINK)
    assert _device(guest, UPLINK).driver == "e1000e"


def test_a_device_that_is_not_alone_in_its_group_names_the_others(lab):
    with pytest.raises(StepError, match=r"not alone in IOMMU group \d+.*\n  0000:04:02.0 \[8086:100e\] \(driver e1000"):
        vfio.bind(lab, "node1", SHARED)


def test_a_whole_group_can_be_given(lab, guest):
    for bdf in (SHARED, "0000:04:02.0"):
        guest.run(["sh", "-c", f"echo {bdf} > /sys/bus/pci/devices/{bdf}/driver/unbind"])
    vfio.bind(lab, "node1", SHARED)
    vfio.bind(lab, "node1", "0000:04:02.0")
    assert _device(guest, SHARED).driver == _device(guest, "0000:04:02.0").driver == "vfio-pci"


@pytest.mark.parametrize(
    ("what", "message"),
    [("0000:09:00.0", "no PCI device 0000:09:00.0.*network devices there"), ("8086:10d3", "means 2 PCI devices")],
)
def test_a_wrong_name_lists_what_there_is(lab, what, message):
    with pytest.raises(StepError, match=message):
        vfio.bind(lab, "node1", what)


def test_without_an_iommu_the_kernel_parameters_are_named(tmp_path):
    if reason := qemu.missing():
        pytest.skip(reason)
    guest = qemu.Guest(tmp_path, iommu=False)
    try:
        with pytest.raises(StepError, match=r"intel_iommu=on iommu=pt"):
            vfio.bind(SimpleNamespace(journal=Journal(None), host=lambda node: guest), "node1", ALONE)
    finally:
        guest.stop()
