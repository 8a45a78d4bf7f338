"""A sweep's file: axes become points, and whatever is wrong is found before anything starts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from tsnlab.errors import ConfigError
from tsnlab.sweep import Plan, load_plan

PARAMETERS = (
    'packets: int = 10  # number\noffset_us: float = 1.0  # offset\nmode: str = "a"  # how\nseed: int = 5  # random'
)


@pytest.fixture
def plan(tmp_path: Path) -> Callable[[str], Plan]:
    """Reads a sweep of a tiny notebook."""
    cell = nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    notebook = nbformat.v4.new_notebook(
        cells=[cell], metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    )
    nbformat.write(notebook, tmp_path / "tiny.ipynb")

    def load(text: str) -> Plan:
        (tmp_path / "sweep.yaml").write_text(f"notebook: {tmp_path}/tiny.ipynb\n{text}")
        return load_plan(tmp_path / "sweep.yaml")

    return load


def axes(plan: Plan) -> list[tuple[object, ...]]:
    return [tuple(point.axes.values()) for point in sorted(plan.points, key=lambda point: point.number)]


@pytest.mark.parametrize(
    ("axis", "values"),
    [
        ("[3, 1]", [3, 1]),
        ("{from: 1, to: 7, step: 3}", [1, 4, 7]),
        ("{from: 0, to: 10, count: 3}", [0, 5, 10]),
        ("{from: 250, to: 2000, count: 4, log: true}", [250, 500, 1000, 2000]),
        ("{from: 1, to: 3, count: 5, log: true}", [1, 2, 3]),
    ],
)
def test_an_axis_is_a_list_or_a_range(plan: Callable[[str], Plan], axis: str, values: list[int]) -> None:
    assert axes(plan(f"axes: {{packets: {axis}}}")) == [(value,) for value in values]


def test_computed_values_are_tidy(plan: Callable[[str], Plan]) -> None:
    found = plan("axes: {offset_us: {from: 0.1, to: 0.5, step: 0.1}}")
    assert axes(found) == [(0.1,), (0.2,), (0.3,), (0.4,), (0.5,)]


def test_axes_are_combined_and_zipped_ones_go_together(plan: Callable[[str], Plan]) -> None:
    product = plan('axes: {packets: [1, 2], mode: ["x", "y"]}')
    assert axes(product) == [(1, "x"), (1, "y"), (2, "x"), (2, "y")]
    zipped = plan('axes: {packets: [1, 2], offset_us: [7, 8], mode: ["x", "y"]}\nzip: [[packets, mode]]')
    assert axes(zipped) == [(1, 7.0, "x"), (1, 8.0, "x"), (2, 7.0, "y"), (2, 8.0, "y")]


def test_a_repetition_has_the_next_seed(plan: Callable[[str], Plan]) -> None:
    repeated = plan("axes: {repetition: 3}").points
    assert sorted(point.values["seed"] for point in repeated) == [5, 6, 7]
    swept = plan("axes: {seed: [1, 2], repetition: 2}").points
    assert sorted(point.values["seed"] for point in swept) == [1, 1, 2, 2]
    assert len({point.key for point in swept}) == 4


def test_the_order_is_shuffled_and_always_the_same(plan: Callable[[str], Plan]) -> None:
    text = "axes: {packets: {from: 1, to: 20, step: 1}}\n"
    numbers = [[point.number for point in plan(text + end).points] for end in ("", "", "shuffle: 2", "shuffle: null")]
    assert numbers[0] == numbers[1] != numbers[2] != numbers[3] == list(range(1, 21))


def test_a_constraint_leaves_points_out(plan: Callable[[str], Plan]) -> None:
    found = plan(
        'axes: {packets: [1, 2, 3], offset_us: [1, 2]}\nconstraints: ["packets * offset_us <= 3", "seed == 5"]'
    )
    assert axes(found) == [(1, 1.0), (1, 2.0), (2, 1.0), (3, 1.0)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("axes: {speed: [1]}", r"axes\.speed: tiny has no parameter 'speed' to set; it has packets"),
        ("axes: {packets: [1, many]}", r"axes\.packets: tiny: parameter 'packets' \(number\): expected a whole number"),
        ("axes: {packets: [1]}\nparameters: {packets: 1}", r"parameters\.packets: is an axis as well"),
        ("axes: {packets: [1, 1]}", "axes.packets: a value stands twice in .*`repetition`"),
        ("axes: {packets: []}", r"axes\.packets: expected a list such as"),
        ("axes: {packets: {from: 1, to: 9}}", "axes.packets: a range: expected either a step or a count"),
        ("axes: {packets: {from: 1, to: 9, steps: 2}}", "axes.packets: a range: steps: Extra inputs"),
        ("axes: {packets: {from: 0, to: 9, count: 2, log: true}}", "starts above 0"),
        ("axes: {repetition: [0]}", r"axes\.repetition: expected whole numbers from 1"),
        ("axes: {packets: [1, 2], mode: [a]}\nzip: [[packets, mode]]", "packets has 2, mode has 1"),
        ("axes: {packets: [1]}\nzip: [[speed]]", "zip: 'speed' is no axis"),
        ('axes: {packets: [1]}\nconstraints: ["packet > 1"]', "'packet' is no parameter"),
        ('axes: {packets: [1]}\nconstraints: ["open(1)"]', "only comparison, arithmetic"),
        ('axes: {packets: [1]}\nconstraints: ["packets >"]', "write it like"),
        ('axes: {packets: [1]}\nconstraints: ["packets > mode"]', "not supported"),
        ('axes: {packets: [1]}\nconstraints: ["packets > 1"]', "no point is left"),
        ("axis: {packets: [1]}", "axis: unknown key"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_key(plan: Callable[[str], Plan], text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as error:
        plan(text)
    assert "sweep.yaml: " in str(error.value)


def test_a_point_that_the_case_does_not_allow_is_named(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("notebook: case2\naxes: {offset_us: [50, 200]}")
    with pytest.raises(ConfigError, match=r"outside of the window\n.*at the point offset_us = 200"):
        load_plan(tmp_path / "s.yaml")


def test_a_point_is_known_again_by_what_it_measures(plan: Callable[[str], Plan]) -> None:
    (one,) = plan("axes: {packets: [10]}").points
    (by_default,) = plan('axes: {mode: ["a"]}').points
    (other,) = plan("axes: {packets: [11]}").points
    assert one.key == by_default.key != other.key


@pytest.mark.parametrize("name", ["etf-delta", "offset", "cycle", "load", "wakeup"])
def test_the_sweeps_that_come_with_tsnlab_are_valid(name: str) -> None:
    assert len(load_plan(name).points) > 3
