"""Progress is shown once something lasts, and never gets in the way."""

from __future__ import annotations

import pytest

from tsnlab import progress as module
from tsnlab.progress import progress


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_QUIET_S", 0.0)
    monkeypatch.setattr(module, "_LINE_EVERY_S", 0.0)


def test_what_is_over_at_once_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress(range(100), "counting")) == list(range(100))
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("impatient")
def test_in_a_log_it_is_lines_with_the_remaining_time(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(4, "compiling", "objects") as bar:
        bar.update(3)
    lines = capsys.readouterr().err.splitlines()
    assert "compiling: 75%, 3 of 4 objects, 00:00 gone, 00:00 left" in lines


@pytest.mark.usefixtures("impatient")
def test_without_a_total_it_counts(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(None, "unpacking", "B") as bar:
        bar.update(2_500_000)
    assert "unpacking: 2.50MB, 00:00 gone" in capsys.readouterr().err.splitlines()


@pytest.mark.usefixtures("impatient")
def test_it_can_be_turned_off(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress([1, 2], "counting", show=False)) == [1, 2]
    assert capsys.readouterr().err == ""
