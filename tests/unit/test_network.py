"""The network of the virtual lab, as commands."""

import pytest

from tsnlab.lab import load_lab_file
from tsnlab.virtual import network
from tsnlab.virtual.modules import load_order


@pytest.fixture
def batches():
    lab = load_lab_file()
    return network.batches(lab, {name: 100 + i for i, name in enumerate(lab.nodes)})


def test_every_link_is_two_interfaces_each_in_the_namespace_of_its_node(batches):
    lines = [line for line in batches[0].lines if line.startswith("link add")]
    assert len(lines) == 8
    assert lines[0].startswith("link add eth1 netns 100 address 02:00:00:00:00:01 numtxqueues 4")


def test_every_cable_has_the_links_rate_and_delay_in_both_directions(batches):
    lines = [line for line in batches[1].lines if "netem" in line]
    assert len(lines) == 8
    assert all("delay 1us rate 1000000000bit 24 " in line for line in lines)


def test_what_comes_in_at_one_end_of_a_cable_goes_out_at_the_other(batches):
    filters = [line.split() for line in batches[1].lines if line.startswith("filter")]
    pairs = {(words[3], words[words.index("mirror") + 2]) for words in filters}
    assert ("cable0a", "cable0b") in pairs
    assert all((there, here) in pairs for here, there in pairs)


def test_the_switch_has_learned_where_each_host_is(batches):
    assert set(batches[-1].lines) == {
        "fdb replace 02:00:00:00:00:01 dev CE04 master static vlan 1",
        "fdb replace 02:00:00:00:00:02 dev CE03 master static vlan 1",
        "fdb replace 02:00:00:00:00:03 dev CE01 master static vlan 1",
        "fdb replace 02:00:00:00:00:04 dev CE02 master static vlan 1",
    }


def test_modules_are_loaded_after_those_they_need(tmp_path):
    (tmp_path / "modules.dep").write_text("a/8021q.ko: a/garp.ko a/stp.ko a/llc.ko\na/garp.ko: a/llc.ko\na/veth.ko:\n")
    order = [path.name for path in load_order(tmp_path, ("veth", "8021q", "built_in"))]
    assert order == ["veth.ko", "llc.ko", "stp.ko", "garp.ko", "8021q.ko"]
