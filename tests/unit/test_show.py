"""How values show themselves: drawings that are well formed, a case in words, a capture and an error in IPython."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.lib.pretty import pretty

from tests.drawings import svg, words
from tsnlab.case import load_case
from tsnlab.lab import LABS, LabFile, load_lab_file
from tsnlab.packets import CaptureInfo, from_records
from tsnlab.show import capture, network
from tsnlab.show.strip import STEPS, Envelope, Strip
from tsnlab.steps import Step


def changed(spec: LabFile, **fields: object) -> LabFile:
    return LabFile.model_validate(spec.model_dump() | fields, context={"exact": True})


@pytest.mark.parametrize("name", sorted(path.stem for path in LABS.glob("*.yaml")))
def test_the_drawing_of_a_lab_names_every_node_role_interface_and_link(name: str) -> None:
    spec = load_lab_file(name)
    read = words(network.svg(spec))
    assert set(spec.nodes) <= set(read)
    assert {interface for node in spec.nodes.values() for interface in node.interfaces} <= set(read)
    assert {"talker", "listener", "load source", "load sink"} <= {part for text in read for part in text.split(", ")}
    assert sum(text.startswith("1 Gbit/s, ") for text in read) == len(spec.links)


def test_a_cable_between_two_nodes_and_a_free_port_are_drawn_as_well() -> None:
    spec = load_lab_file("virtual")
    ends = [[str(end) for end in link.ends] for link in spec.links]
    links = [{"ends": pair, "rate": 10**9, "delay": 1000} for pair in ends[:2]]
    drawing = network.svg(
        changed(spec, links=[*links, {"ends": ["node3:enp5s0", "node4:enp5s0"], "rate": 1, "delay": 0}])
    )
    assert "free: CE01, CE02" in words(drawing)
    assert svg(drawing).count('fill="none"') == 1


def test_names_from_files_are_text_and_never_markup() -> None:
    spec = load_lab_file("virtual")
    nodes = {name: node.model_dump() for name, node in spec.nodes.items()}
    nodes["node2"]["title"] = "<script>alert('&')</script>"
    html = changed(spec, nodes=nodes)._repr_html_()
    assert "<script" not in html + svg(html)


def test_a_case_says_what_is_sent_and_what_is_asked_of_it() -> None:
    case = load_case("case3", packets=70)
    for shown in (str(case), case._repr_html_()):
        assert "70 packets after 10 that are discarded, one every 2 ms" in shown
        assert "1250 us after the cycle begins" in shown
        assert "953 Mbit/s" in shown
        assert "802.1Qbv: best effort pauses from 15 us before" in shown
    assert "802.1Qbv off" in str(load_case("case3", switch_qbv=False))
    assert "launch" not in str(load_case("case1"))
    assert "priority 6" in words(case.taprio._repr_html_() if case.taprio else "")


def test_parts_of_a_case_and_single_steps_say_what_they_are_with_units() -> None:
    case = load_case("case3")
    assert case.load is not None
    assert case.etf is not None
    for value, said in ((case.load, "953 Mbit/s"), (case.etf, "5 ms"), (case.stream, "50 us")):
        assert said in pretty(value)
        assert said in value._repr_html_()
    step = Step("node1", "link eth1", "down", "up", ("ip link set eth1 up",))
    for shown in (repr(step), step._repr_html_()):
        assert "down → up" in shown
        assert "ip link set eth1 up" in shown


def test_a_gate_chart_names_the_instants_at_which_gates_change() -> None:
    case = load_case("case3")
    assert case.switch is not None
    read = words(case.switch.taprio(case.stream)._repr_html_())
    assert {"0", "1235", "2000 us"} <= set(read)  # there is no room for 1265 beside 1235


def table(count: int) -> object:
    begin = 1_588_055_400 * 10**9
    sent = [[seq, begin + seq * 2_000_000, begin + seq * 2_000_000 + 3_000, 0] for seq in range(1, count + 1)]
    for row in sent:
        row[3] = row[1] + 4_000 + row[0]
    arrived = [[0, *row, row[1] + 1_252_000, 0, 0] for row in sent if row[0] != 7]
    about = CaptureInfo(lab="virtual", case="case2", cycle_ns=2_000_000)
    return from_records(sent, arrived, about, stream=0)


def test_a_capture_shows_counts_extremes_and_readable_times() -> None:
    for shown in (capture.text(table(300)), capture.html(table(300))):
        assert "300 sent, 299 received, 1 lost" in shown
        assert "1252.000 to 1252.000 us" in shown
        assert "4.001 to 4.300 us, spread 0.299" in shown
        assert "06:30:00.002" in shown
    assert not capture.is_capture(table(capture.FEW))


def test_the_strip_of_a_million_packets_is_no_larger_than_that_of_a_thousand() -> None:
    few, many = Strip(), Strip()
    few.add((seq, 1_252_000 + seq % 7, 3_000 + seq % 11) for seq in range(1_000))
    many.add((seq, 1_252_000 + seq % 7, 3_000 + seq % 11) for seq in range(0, 1_000_000, 10))
    assert len(few.scheduled.steps) == 250
    assert len(many.scheduled.steps) <= STEPS
    assert len(svg(many.svg())) < 2 * len(svg(few.svg()))
    words(many.svg())


def test_no_extreme_is_lost_in_a_strip() -> None:
    envelope = Envelope()
    for seq in range(10_000):
        envelope.add(seq, 500_000 if seq == 4_321 else 1_000)
    assert [index * envelope.width for index, step in enumerate(envelope.steps) if step == (1_000, 500_000)] == [4_320]
    assert set(envelope.steps) == {(1_000, 500_000), (1_000, 1_000)}
    assert str(envelope) == "1.000 to 500.000 us, spread 499.000"


@given(st.lists(st.tuples(st.integers(0, 5_000), st.integers(-(10**6), 10**9)), max_size=300))
def test_a_table_is_drawn_as_its_packets_would_be_one_by_one(packets: list[tuple[int, int]]) -> None:
    one_by_one = Envelope()
    for seq, value in packets:
        one_by_one.add(seq, value)
    seqs, values = (
        np.array(column, dtype=np.int64) for column in (zip(*packets, strict=True) if packets else ((), ()))
    )
    at_once = Envelope.of(seqs, values)
    assert vars(at_once) == vars(one_by_one)


IPYTHON = [sys.executable, "-m", "IPython", "--no-banner", "--simple-prompt", "--colors=NoColor", "--quick"]


def ipython(tmp_path: Path, *cells: str) -> str:
    """What a real IPython says to some cells."""
    environment = {"IPYTHONDIR": str(tmp_path), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    answer = subprocess.run(
        IPYTHON, input="\n".join(cells) + "\n", cwd=Path(__file__).parents[2], env=environment, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    return answer.stdout + answer.stderr


def test_ipython_shows_a_capture_as_a_summary_and_other_tables_as_before(tmp_path: Path) -> None:
    said = ipython(
        tmp_path,
        "import tsnlab, pandas",
        "from tests.unit.test_show import table",
        "capture = table(300)",
        "capture",
        "capture.head(2).interval_start",
        "pandas.DataFrame({'other': [4711]})",
    )
    assert "300 sent, 299 received, 1 lost" in said
    assert said.count("1588055400002000000") == 1  # in the head, in nanoseconds
    assert "4711" in said


def test_an_error_is_short_and_whole_when_it_is_asked_for_again(tmp_path: Path) -> None:
    said = ipython(tmp_path, "import tsnlab", "case = tsnlab.load_case('case9')", "print('between')", "%tb")
    first, _, second = said.partition("between")
    assert "there is no file case9; cases that come with tsnlab: case1, case2, case3" in first
    assert "asked for in line 1: case = tsnlab.load_case('case9')" in first
    assert "raised in case.py" in first
    assert "Traceback" not in first
    assert "Traceback (most recent call last)" in second
    assert "def load_case" in second or "files.find" in second


def test_every_public_name_has_a_docstring() -> None:
    import tsnlab

    for name in tsnlab.__all__:
        if name != "__version__":
            value = getattr(tsnlab, name)
            assert (value.__doc__ or "").strip(), name
            for inner in getattr(value, "__all__", []):
                thing = getattr(value, inner)
                assert not (inspect.isclass(thing) or inspect.isroutine(thing)) or (thing.__doc__ or "").strip(), (
                    f"{name}.{inner}"
                )
