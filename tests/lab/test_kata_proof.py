"""Proof from inside, on a real kernel with the igb driver (the virtual lab with I210s)."""

from pathlib import Path

import pytest

import tsnlab
from tsnlab import kata
from tsnlab.errors import StepError
from tsnlab.kernel import KataKernel
from tsnlab.kernel.kata_result import banner

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def lab():
    with tsnlab.open_lab("virtual-i210") as lab:
        yield lab


def _built(lab, said):
    return KataKernel(Path("unused"), "1.11.0", lab.kernel.version, said)


def test_a_guest_that_is_as_it_should_be(lab):
    found = kata.prove(lab, "node1", "eth1", _built(lab, banner(lab.kernel.path)))
    assert "the one that was built" in str(found)
    assert "driver igb, 8086:157b" in str(found)
    assert "hardware, by /dev/ptp" in str(found)
    assert "Inside the guest" in found._repr_html_()


def test_the_clock_is_that_of_the_interface_whatever_its_number(lab):
    clocks = [str(kata.prove(lab, node, name)) for node, name in (("node1", "eth1"), ("node2", "enp5s0"))]
    devices = [text.split("hardware, by ")[1].split()[0] for text in clocks]
    assert len(set(devices)) == 2


def test_another_kernel_than_the_one_that_was_built_is_no_success(lab):
    said = banner(lab.kernel.path)
    with pytest.raises(StepError, match=r"(?s)node1 is not what it should be:.*but built was.*kernel\.install"):
        kata.prove(lab, "node1", "eth1", _built(lab, said.replace("#1", "#2")))


def test_a_nic_that_was_not_passed_in_lists_what_there_is(lab):
    with pytest.raises(StepError, match=r"interface eth9 +not there; there are: .*eth1"):
        kata.prove(lab, "node1", "eth9")


def test_an_interface_without_a_clock_fails_though_others_have_some(lab):
    with pytest.raises(StepError, match=r"clock of enp5s0 +none; clocks of others: ptp0"):
        kata.prove(lab, "node3", "enp5s0")


def test_a_clock_whose_device_is_not_in_the_container_is_told_apart(lab):
    host = lab.host("node1")
    host.run(["mount", "-t", "tmpfs", "none", "/dev"])
    try:
        with pytest.raises(StepError, match=r"(?s)ptp\d is the NIC's, but there is no /dev/ptp\d.*-v /dev:/dev"):
            kata.prove(lab, "node1", "eth1")
    finally:
        host.run(["umount", "/dev"])
    assert not kata.prove(lab, "node1", "eth1").failed
