"""The line about a notebook that is being executed."""

from __future__ import annotations

import io

import pytest

from tsnlab import ticker as module
from tsnlab.ticker import Ticker


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REDRAW_S", 0.0)
    monkeypatch.setattr(module, "_LINE_EVERY_S", 0.0)


def test_a_log_gets_lines_with_the_cell_and_the_time_left() -> None:
    log = io.StringIO()
    ticker = Ticker("case2", {"lab": 1.0, "measure": 7.0}, stream=log)
    ticker.cell(5, 37, "The lab", "lab")
    assert log.getvalue() == "case2 [5/37] The lab, about 8 s left\n"
    assert ticker.where == "cell 5 of 37, The lab"


def test_a_cell_that_tells_how_far_it_is_is_believed() -> None:
    log = io.StringIO()
    ticker = Ticker("case2", {"save": 1.0}, stream=log)
    ticker.cell(25, 37, "Measure", "measure")
    ticker.says("packets received: 43%, 00:04 left")
    assert log.getvalue().splitlines()[-1] == "case2 [25/37] packets received: 43%, 00:04 left"


def test_without_an_earlier_run_no_time_is_made_up() -> None:
    log = io.StringIO()
    Ticker("case2", {}, stream=log).cell(1, 37, "The run", "run")
    assert log.getvalue() == "case2 [1/37] The run\n"


def test_a_terminal_has_one_line_that_is_rewritten_and_cleared() -> None:
    terminal = Terminal()
    ticker = Ticker("case2", {}, stream=terminal)
    ticker.cell(1, 2, "x" * 300, "one")
    ticker.close()
    assert "\n" not in terminal.getvalue()
    assert terminal.getvalue().endswith("…\r\x1b[K")


def test_it_can_be_turned_off() -> None:
    log = io.StringIO()
    ticker = Ticker("case2", {}, show=False, stream=log)
    ticker.cell(1, 2, "The run", "run")
    ticker.close()
    assert log.getvalue() == ""
