"""The texts that the switch is given: the guide's scripts, and gate control lists in every form."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsnlab import files
from tsnlab.case import load_case
from tsnlab.errors import ConfigError
from tsnlab.lab import Endpoint, load_lab_file
from tsnlab.schedule import Entry, Taprio
from tsnlab.switch import by_hand, control_list, port_gates, scripts

GUIDE = (Path(__file__).parent / "data/guide-network-scripts.txt").read_text()
SWITCH = load_lab_file("hardware").nodes["switch"]


def guides_scripts():
    """By interface, as the guide lists them; a line break is missing there before one of the names."""
    listing = GUIDE.replace('"no"#', '"no"\n#')
    found = {}
    for name, body in re.findall(r"# /etc/sysconfig/network-scripts/ifcfg-(\S+)\n((?:[A-Z].*\n)+)", listing):
        found[name] = body
    example = re.search(r"(?m)^# you need to add 4 more.*\n((?:[A-Z].*\n)+)", listing)[1]
    return found | {port: example.replace("CE01", port) for port in ("CE01", "CE02", "CE03", "CE04", "IE01")}


def test_the_network_scripts_are_the_guides_byte_for_byte():
    assert scripts.texts(SWITCH) == guides_scripts()
    assert list(scripts.texts(SWITCH)) == ["deipce0", "eth0", "SE01", "CE01", "CE02", "CE03", "CE04", "IE01"]


def test_the_switch_keeps_the_address_it_is_reached_at():
    present = "DEVICE=eth0\nONBOOT=yes\nBOOTPROTO=static\nIPADDR=10.0.0.9\nPREFIX=24\nGATEWAY=10.0.0.1\n"
    text = scripts.keeping_addresses(scripts.text("eth0"), present)
    assert text == (
        'DEVICE=eth0\nTYPE=Ethernet\nONBOOT=yes\nBOOTPROTO=static\nZONE=trusted\nIPV6INT="no"\nNM_CONTROLLED="no"\n'
        "IPADDR=10.0.0.9\nPREFIX=24\nGATEWAY=10.0.0.1\n"
    )
    assert scripts.keeping_addresses(scripts.text("eth0"), text) == text
    assert scripts.keeping_addresses(scripts.text("eth0"), scripts.text("eth0")) == scripts.text("eth0")


def test_scripts_need_to_know_the_main_interface():
    node = SWITCH.model_copy(update={"switch": SWITCH.switch.model_copy(update={"management": None})})
    with pytest.raises(ConfigError, match=r"switch\.management"):
        scripts.texts(node)


def schedule(**parameters):
    return port_gates.of(load_case("case3", **parameters))


def test_each_pcp_is_a_class_of_its_own_and_only_the_streams_is_open_around_its_launch():
    gates = schedule()
    assert [(e.gate_mask, e.interval_ns) for e in gates.entries] == [
        (0xBF, 1_235_000), (0x40, 30_000), (0xBF, 735_000)
    ]  # fmt: skip
    assert gates.to_tc(0, "200")[-2:] == ["flags", "0x2"]
    assert "clockid" not in gates.to_tc(0, "200")
    assert schedule(switch_qbv=False) is None


def test_on_the_cards_ticks_best_effort_is_kept_off_for_longer_never_shorter():
    assert port_gates.on_ticks(schedule(), 320) == [(0xBF, 1_234_880), (0x40, 30_400), (0xBF, 734_720)]


def test_a_cycle_that_the_card_cannot_count_is_refused():
    with pytest.raises(ConfigError, match="no whole number of the switch's ticks of 300 ns"):
        port_gates.on_ticks(schedule(), 300)


def test_a_row_is_cut_where_the_card_would_cut_it_off():
    rows = port_gates.in_rows([Entry(0xBF, 1_234_880)], 524_160, 127)
    assert rows == [(0xBF, 524_160), (0xBF, 524_160), (0xBF, 186_560)]
    assert control_list.merged(rows) == [(0xBF, 1_234_880)]
    with pytest.raises(ConfigError, match="take 3 rows"):
        port_gates.in_rows([Entry(0xBF, 1_234_880)], 524_160, 2)


@given(st.lists(st.tuples(st.sampled_from([0xBF, 0x40, 0xFF, 0x01]), st.integers(10, 4000)), min_size=1, max_size=8))
def test_on_ticks_and_in_rows_keep_the_cycle_and_the_order(pieces):
    entries = [Entry(mask, ticks * 320 + 7) for mask, ticks in pieces[:-1]]
    total = sum(e.interval_ns for e in entries)
    cycle = -(-total // 320) * 320 + 3200
    entries.append(Entry(pieces[-1][0], cycle - total))
    listed = [{"gates": f"{entry.gate_mask:02x}", "for": entry.interval_ns} for entry in entries]
    content = port_gates.of(load_case("case3")).model_dump(by_alias=True) | {"schedule": listed}
    gates = files.check(content, Taprio, "gates", exact=True)
    rows = port_gates.in_rows(port_gates.on_ticks(gates, 320), 524_160, 1023)
    assert sum(row.interval_ns for row in rows) == cycle
    assert all(row.interval_ns % 320 == 0 and 0 < row.interval_ns <= 524_160 for row in rows)
    assert [m for m, _ in control_list.merged(rows)] == [m for m, _ in control_list.merged(entries)]
    assert control_list.from_bytes(control_list.to_bytes(rows)) == rows


def test_the_file_of_tsntool_and_the_bytes_of_the_driver():
    rows = [Entry(0xBF, 200_000), Entry(0x40, 30_400)]
    assert control_list.to_tsntool(rows) == "sgs 200000 0xBF\nsgs 30400 0x40\n"
    assert control_list.to_bytes(rows).hex() == "400d030000bf0000" + "c076000000400000"
    with pytest.raises(ConfigError, match="no whole number of rows"):
        control_list.from_bytes(b"\0" * 12)


def test_times_as_the_card_writes_them():
    assert control_list.cycle_text(2_000_000) == "1/500"
    assert control_list.cycle_of("1/500\n") == 2_000_000
    assert control_list.time_text(1_588_055_400_000_000_320) == "1588055400.000000320"
    assert control_list.time_of("1588055400.000000320") == 1_588_055_400_000_000_320
    assert control_list.time_of("12.5") == 12_500_000_000


def test_by_hand_says_everything_that_has_to_be_entered():
    step = by_hand.gates(Endpoint(node="switch", interface="CE03"), schedule(), 6, 1_588_055_400_000_000_000)
    text = "\n".join(step.commands)
    assert "  sgs 30000 0x40\n" in text
    assert "tsntool st configure 1588055400.000000000 1/500 0 CE03" in text
    assert "tc qdisc replace dev CE03 parent root handle 200" in text
    assert text.endswith("sched-entry S bf 735000 flags 0x2")
