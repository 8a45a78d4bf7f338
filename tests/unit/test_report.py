"""Reports: whatever a run left behind becomes a page that needs nothing else to be read."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest

import tsnlab
from tsnlab import packets, report
from tsnlab.errors import ConfigError
from tsnlab.folder import RunFolder, measured
from tsnlab.formats import parquet
from tsnlab.report import glance as at_a_glance
from tsnlab.report.page import commands, first_line

CYCLE_NS = 2_000_000
START_NS = 1_588_055_400_000_000_000


def capture(case: str, arrival_ns: int, count: int = 50, *, complete: bool = True) -> Any:
    seq = np.arange(count)
    start = START_NS + seq * CYCLE_NS
    arrived = start + arrival_ns + seq % 3 * 32
    nothing = np.zeros(count, dtype=np.int64)
    about = packets.CaptureInfo(
        lab="virtual",
        case=case,
        cycle_ns=CYCLE_NS,
        window=(1_200_000, 1_300_000),
        clock="simulated time",
        badges=("virtual lab", "simulated time"),
        sync={"ok": True},
        complete=complete,
    )
    talker = np.stack([seq, start, start + 3000, start + 3200], axis=1)
    listener = np.stack([nothing, seq, start, start + 3000, start + 3200, nothing, arrived, arrived + 900], axis=1)
    return packets.from_records(talker, listener, about, stream=0)


def finished_run(results: Path, case_name: str, arrival_ns: int = 1_251_000) -> RunFolder:
    case = tsnlab.load_case(case_name)
    run = tsnlab.new_run(case_name, {"packets": 50}, results=results)
    frame = capture(case_name, arrival_ns)
    parquet.write(frame, run.path / "packets.parquet")
    guide = case.guide.model_dump(mode="json")
    content = case.model_dump(mode="json", by_alias=True)
    run.update(**measured(frame, case), title=case.title, guide=guide, case_file=content)
    return run


def add_notebook(run: RunFolder, *cells: Any) -> None:
    nbformat.write(nbformat.v4.new_notebook(cells=list(cells)), run.path / "notebook.ipynb")


def code_cell(source: str, *outputs: Any) -> Any:
    return nbformat.v4.new_code_cell(source, outputs=list(outputs))


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return finished_run(tmp_path / "results", "case2")


def page_of(run: RunFolder) -> str:
    return report.make(run.path).read_text(encoding="utf-8")


def test_the_first_screen_says_what_was_measured_and_whether_it_holds(run: RunFolder) -> None:
    page = page_of(run)
    head = page[: page.index("<main>")]
    for text in ("Case 2: taprio and etf", "All 7 limits hold", "simulated time", "1251.000", "1253.188", "50 sent"):
        assert text in head


def test_a_report_loads_nothing_and_runs_no_script(run: RunFolder) -> None:
    add_notebook(
        run, nbformat.v4.new_markdown_cell("# Title\n\nSee [taprio](https://example.org/)."), code_cell("1 + 1")
    )
    page = page_of(run)
    assert "<script" not in page
    assert not re.findall(r"<(?:img|link|iframe)[^>]*(?:src|href)=[\"'](?!data:)", page)
    assert "@import" not in page
    assert "url(" not in page


def test_code_is_folded_under_its_telling_line(run: RunFolder) -> None:
    source = "import tsnlab\n\nlab = tsnlab.open_lab(lab_file)\nlab"
    add_notebook(run, code_cell(source))
    assert '<details class="code"><summary>lab = tsnlab.open_lab(lab_file)</summary>' in page_of(run)
    assert first_line("") == ""


def test_code_is_shown_or_left_out_as_wanted(run: RunFolder) -> None:
    add_notebook(run, code_cell("lab = tsnlab.open_lab(lab_file)", nbformat.v4.new_output("stream", text="a lab")))
    shown = report.make(run.path, code="show").read_text(encoding="utf-8")
    assert '<details class="code" open="">' in shown
    hidden = report.make(run.path, code="hide").read_text(encoding="utf-8")
    assert "open_lab" not in hidden
    assert "a lab" in hidden


def test_figures_have_numbers_and_captions(run: RunFolder) -> None:
    picture = nbformat.v4.new_output("display_data", data={"image/png": "iVBORw0KGgo="})
    cells = [nbformat.v4.new_markdown_cell("## The schedule\n\nGates."), code_cell("gates", picture)]
    cells += [code_cell("1 + 1"), nbformat.v4.new_markdown_cell("## A & B"), code_cell("more", picture)]
    add_notebook(run, *cells)
    page = page_of(run)
    assert "<figcaption>Figure 1. The schedule</figcaption>" in page
    assert "<figcaption>Figure 2. A &amp; B</figcaption>" in page


def test_hashes_of_what_was_made_are_in_the_report(run: RunFolder) -> None:
    run.update(checksums={"packets.parquet": "0123abcd"}, key="fedc9876")
    page = page_of(run)
    for text in ("Hashes", "0123abcd", "fedc9876"):
        assert text in page


def test_an_error_shows_its_message_and_folds_where_it_was_raised(run: RunFolder) -> None:
    error = nbformat.v4.new_output(
        "error", ename="SyncError", evalue="the clocks <did> not lock", traceback=["\x1b[31mdeep inside\x1b[0m"]
    )
    add_notebook(run, code_cell("sync.wait_locked()", error))
    page = page_of(run)
    assert "the clocks &lt;did&gt; not lock" in page
    assert page.index("where it was raised") < page.index("deep inside")


def test_papermills_error_markers_are_left_out(run: RunFolder) -> None:
    marker = nbformat.v4.new_markdown_cell(
        "An Exception was encountered", metadata={"tags": ["papermill-error-cell-tag"]}
    )
    add_notebook(run, marker, nbformat.v4.new_markdown_cell("The lab"))
    page = page_of(run)
    assert "An Exception was encountered" not in page
    assert "The lab" in page


def test_commands_are_listed_node_by_node(run: RunFolder) -> None:
    lines = [
        {"lab_time_ns": 5 * 10**8, "node": "node1", "argv": ["tc", "qdisc", "show"], "returncode": 0, "seconds": 0.01},
        {"lab_time_ns": 6 * 10**8, "node": "switch", "argv": ["ptp4l", "-m"], "returncode": None, "seconds": 0.0},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines) + '{"lab_time_ns": 1, "no'
    (run.path / "transcript.jsonl").write_text(text)
    found = commands(run.path / "transcript.jsonl")
    assert {node: [one.text for one in those] for node, those in found.items()} == {
        "node1": ["tc qdisc show"],
        "switch": ["ptp4l -m"],
    }
    assert "tc qdisc show" in page_of(run)


def test_a_run_that_was_stopped_before_its_first_cell_has_a_report(tmp_path: Path) -> None:
    run = tsnlab.new_run("case1", {}, results=tmp_path)
    run.update(status="error", error="no kernel")
    page = page_of(run)
    assert "Ended with an error" in page
    assert "no kernel" in page


def test_a_notebook_that_is_none_is_named(run: RunFolder) -> None:
    (run.path / "notebook.ipynb").write_text("{")
    with pytest.raises(ConfigError, match=r"notebook\.ipynb: not a notebook"):
        report.make(run.path)


def test_an_interrupted_measurement_says_so(tmp_path: Path) -> None:
    run = tsnlab.new_run("case2", {}, results=tmp_path)
    run.update(**measured(capture("case2", 1_251_000, complete=False)), status="interrupted", error="cut short")
    seen = at_a_glance.glance(run.read())
    assert (seen.tone, seen.verdict) == ("warn", "Interrupted after 50 packets")
    assert seen.badges[0] == "incomplete"


def test_a_limit_that_does_not_hold_is_named_first(tmp_path: Path) -> None:
    run = finished_run(tmp_path, "case2", arrival_ns=1_350_000)
    assert run.read()["status"] == "failed"
    page = page_of(run)
    head = page[: page.index("<main>")]
    assert "1 of 7 limits do not hold" in head
    assert "arrives while the gate of its class is closed" in head


def test_large_jitter_is_told_in_microseconds() -> None:
    summary = {"unit": "ns", "min": -932_287.0, "max": 48_291.0, "spread": 980_578.0, "mean": 0.0}
    seen = at_a_glance.card("network_jitter_ns", summary, (-1_189_165.381, 50_472.43))
    assert (seen.unit, seen.low, seen.guide_low) == ("µs", "\N{MINUS SIGN}932.287", "\N{MINUS SIGN}1189.165")


def test_bars_of_a_run_and_of_the_guide_share_one_axis() -> None:
    summary = {"unit": "us", "min": 10.0, "max": 10.0, "spread": 0.0, "mean": 10.0}
    seen = at_a_glance.card("scheduled_times_us", summary, (10.0, 20.0))
    assert seen.bar is not None
    assert seen.guide_bar is not None
    assert seen.bar.width > 0
    assert seen.guide_bar.left < seen.bar.left + seen.bar.width < seen.guide_bar.left + seen.guide_bar.width


def test_the_index_shows_the_latest_run_of_each_case(tmp_path: Path) -> None:
    old, new = (finished_run(tmp_path, "case2", arrival) for arrival in (1_250_000, 1_252_000))
    old.update(started="2020-01-01T00:00:00+00:00")
    finished_run(tmp_path, "case1", 60_000)
    (tmp_path / "not-a-run").mkdir()
    page = report.index(tmp_path).read_text(encoding="utf-8")
    shown = page[: page.index("All runs")]
    assert new.name in shown
    assert old.name not in shown
    assert old.name in page
    assert "data:image/png;base64," in page
    # a script may make it searchable, but loads nothing and changes nothing that is there to read
    assert "<script src" not in page
    assert "http" not in page[page.index("<script") :]


def test_an_index_of_nothing_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="tsnlab run case1"):
        report.index(tmp_path / "results")


def test_the_terminals_table_has_the_indicators_beside_the_guides(tmp_path: Path) -> None:
    runs = [finished_run(tmp_path, "case2").read(), tsnlab.new_run("case3", {}, results=tmp_path).read()]
    lines = report.indicator_table(runs).splitlines()
    assert any("case2" in line and "1251.000 to 1251.064" in line and "1253.188 to 1253.343" in line for line in lines)
    assert any("case3" in line and "Not finished" in line for line in lines)


def test_a_notebook_shows_its_indicators_beside_the_guides() -> None:
    case = tsnlab.load_case("case2")
    shown = report.beside(capture("case2", 1_251_000), case)
    assert "1253.188 to 1253.343" in repr(shown)
    assert "guide: Case 2, Figure 4" in shown._repr_html_()
