"""`tsnlab prove`: the gates of a lab's talker, proved from the command line."""

import pytest

from tsnlab.cli import main

pytestmark = pytest.mark.lab


def test_the_gates_of_interfaces_with_clocks_of_their_own_are_proved(linux, capsys):
    """On the virtual I210: it stamps frames as they begin, launches them itself, and a reset sets its clock."""
    assert main(["prove", "virtual-i210"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("Gates, proved")
    assert said.count("holds") == 9
