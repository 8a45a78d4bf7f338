"""The plans beside the guide, line by line: the same, or a difference that docs/plan.md explains."""

import re
import shlex
from pathlib import Path

import pytest

from tsnlab import rehearsal

_GUIDE = (Path(__file__).parent / "data/guide-commands.txt").read_text(encoding="utf-8")
_DOCS = (Path(__file__).parents[2] / "docs/plan.md").read_text(encoding="utf-8")
_NOTEBOOKS = {
    "1-kernel-and-image": {},
    "2-switch-and-time": {},
    "3-kata-and-vfio": {},
    "case2": {},
    "case3": {"load_tool": "iperf3", "load_to": "load_sink"},
}


def _steps():
    rows = [line.split("\t") for line in _GUIDE.splitlines() if line and not line.startswith("#")]
    return [(int(number), node, text) for number, node, text in rows]


def _differences():
    """By line of the guide, what the table of the documentation says is there instead; nothing for a question."""
    found = {}
    for line in _DOCS.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if re.fullmatch(r"[\d, ]+", cells[0]):
            assert cells[3], f"a difference without a reason: {line}"
            for number in cells[0].split(","):
                found[int(number)] = re.findall(r"`([^`]+)`", cells[2])
    return found


@pytest.fixture(scope="module")
def plans():
    return [rehearsal.rehearse(name, "hardware", parameters) for name, parameters in _NOTEBOOKS.items()]


def _collapsed(text):
    return " ".join(line.strip() for line in text.split())


def _typed(entry):
    """A command as the guide would have it: what a shell is given is what the guide types."""
    if entry.argv[:2] == ("sh", "-c") and len(entry.argv) == 3:
        return entry.argv[2]
    return shlex.join(entry.argv)


def _is_there(plans, node, text):
    """Whether a command or file of the guide is in the plans word for word."""
    entries = [entry for plan in plans for entry in plan.entries if entry.node == node]
    if text.startswith("FILE /"):
        path, _, content = text.removeprefix("FILE ").partition(": ")
        return any(e.kind == "write" and e.path == path and _collapsed(e.text) == content for e in entries)
    if text.startswith("FILE stx.conf"):
        wanted = text.partition(": ")[2].split()
        written = [e.text for plan in plans for e in plan.entries if e.path.endswith("/stx.conf")]
        return any([line for line in t.splitlines() if line[:1] != "#"] == wanted for t in written)
    if any(e.kind == "edit" and f"+{text}" in e.text.splitlines() for e in entries):
        return True
    return text.rstrip("/") in [_typed(e) for e in entries if e.kind == "run"]


@pytest.mark.parametrize(("line", "node", "text"), _steps(), ids=[f"{line}-{node}" for line, node, _ in _steps()])
def test_each_step_of_the_guide_is_in_a_plan_or_among_the_differences(plans, line, node, text):
    same, named = _is_there(plans, node, text), line in _differences()
    assert same != named, (
        f"line {line}: {'no difference any more' if same else 'a difference without a reason'}: {text}"
    )


@pytest.mark.parametrize("line", sorted(_differences()))
def test_what_the_documentation_says_instead_is_in_a_plan(plans, line):
    assert line in [number for number, _, _ in _steps()]
    everything = _collapsed("\n".join(str(plan) for plan in plans)).replace("'\"'\"'", "'")
    for text in _differences()[line]:
        assert text in everything, f"line {line}: {text}"


def test_options_of_ptp4l_are_the_guides_but_for_the_socket(plans):
    guides = {(node, tuple(text.partition(": ")[2].split())) for _, node, text in _steps() if "FILE ptp4l" in text}
    for node, words in guides:
        texts = [plan.files(node).get(f"/run/ptp4l-{node}.cfg") for plan in plans]
        for text in (text for text in texts if text):
            ours = text.split()
            where = ours.index("uds_address")
            assert sorted(ours[:where] + ours[where + 2 :]) == sorted(words), node


def test_the_guides_way_of_taking_the_nic_is_planned_word_for_word():
    plan = rehearsal.rehearse("3-kata-and-vfio", "hardware", {"vfio_method": "new_id"})
    guides = [text for line, _, text in _steps() if 408 <= line <= 414]
    typed = [_typed(entry) for entry in plan.entries if entry.kind == "run"]
    assert [command for command in typed if command in guides] == [guides[1], guides[0], *guides[2:]]
