"""The plan of a sweep: its file, checked against the notebook before anything starts, and the points in order."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from tsnlab import files, notebook, revision
from tsnlab.case import CASES, load_case
from tsnlab.errors import ConfigError
from tsnlab.paths import PARAMS
from tsnlab.sweep.axis import Axis, Scalar
from tsnlab.sweep.constraint import constraint

SWEEPS = PARAMS / "sweeps"
"""Where the sweep files are that come with tsnlab."""

REPETITION = "repetition"
"""The axis that is no parameter: it measures a point again, with the next seed where the notebook has one."""

_SEED = "seed"
_NOT_OF_THE_CASE = ("lab_file", notebook.OWN_PARAMETER)


class SweepFile(files.Value):
    """A sweep as its file describes it (params/sweeps/*.yaml)."""

    title: str = ""
    indicator: str = "scheduled_times_spread_us"
    """Column of the sweep's table that shows what it is about."""

    notebook: str
    parameters: dict[str, Scalar] = Field(default_factory=dict)
    """What is the same at every point."""

    axes: dict[str, Axis]
    zip: list[list[str]] = Field(default_factory=list)
    """Axes that go together, value by value; all others are combined."""

    constraints: list[str] = Field(default_factory=list)
    shuffle: int | None = 1
    """Seed of the order of the points, so that drift does not look like an effect; null for as written."""


@dataclass(frozen=True)
class Point:
    """One run of a sweep.

    Attributes:
        number: its place in the order as written, from 1.
        axes: the values that distinguish it from other points, `repetition` among them.
        values: what the notebook is asked for.
        key: the same for another run of the same parameters, lab, notebook and code.
    """

    number: int
    axes: Mapping[str, Any]
    values: Mapping[str, Any]
    key: str

    def __str__(self) -> str:
        return ", ".join(f"{name} = {value}" for name, value in self.axes.items())


@dataclass(frozen=True)
class Plan:
    """A sweep that can begin: every point has been checked.

    Attributes:
        name: of the file; the sweep's folder is named after it.
        indicator: column of its table that shows what it is about.
        points: in the order in which they are measured.
    """

    name: str
    title: str
    indicator: str
    notebook: Path
    axes: Mapping[str, tuple[Scalar, ...]]
    points: tuple[Point, ...]


def load_plan(name: str | Path) -> Plan:
    """Reads a sweep file, by path or bare name, and checks it against the notebook it is for.

    Raises:
        ConfigError: names the file, the key or point, and what was expected.
    """
    file = files.find(name, SWEEPS)
    spec = files.load(file, SweepFile)
    try:
        return _plan(file.stem, spec)
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from error


def _plan(name: str, spec: SweepFile) -> Plan:
    path = notebook.find(spec.notebook)
    known = notebook.parameters(path)
    _check_names(spec)
    fixed = notebook.checked_against(known, path.stem, spec.parameters)
    axes = {axis: _axis_values(known, path.stem, axis, values) for axis, values in spec.axes.items()}
    fingerprint = revision.Fingerprint(path, known)
    conditions = [constraint(text, {*known, REPETITION}) for text in spec.constraints]
    points: list[Point] = []
    for one in _combinations(axes, spec.zip):
        values = _values(known, fixed, one)
        everything = {**{name: parameter.default for name, parameter in known.items()}, **one, **values}
        if all(condition.holds(everything) for condition in conditions):
            key = fingerprint.of(values, int(one.get(REPETITION, 1)))
            points.append(Point(len(points) + 1, one, values, key))
    if not points:
        raise ConfigError("constraints: no point is left to measure")
    _check_case(path, points)
    if spec.shuffle is not None:
        random.Random(spec.shuffle).shuffle(points)
    return Plan(name, spec.title or name, spec.indicator, path, axes, tuple(points))


def _check_names(spec: SweepFile) -> None:
    if twice := spec.parameters.keys() & spec.axes.keys():
        raise ConfigError(f"parameters.{min(twice)}: is an axis as well; a parameter is either fixed or swept")
    if REPETITION in spec.parameters:
        raise ConfigError(f"parameters.{REPETITION}: is an axis; write `axes: {{{REPETITION}: 3}}`")
    together = [name for group in spec.zip for name in group]
    for name in together:
        if name not in spec.axes:
            raise ConfigError(f"zip: {name!r} is no axis; there are {', '.join(spec.axes)}")
        if together.count(name) > 1:
            raise ConfigError(f"zip: {name!r} stands twice")
    for group in spec.zip:
        lengths = {name: len(spec.axes[name]) for name in group}
        if len(set(lengths.values())) > 1:
            said = ", ".join(f"{name} has {length}" for name, length in lengths.items())
            raise ConfigError(f"zip: axes that go together have equally many values; {said}")


def _axis_values(
    known: Mapping[str, notebook.Parameter], case: str, axis: str, values: tuple[Scalar, ...]
) -> tuple[Scalar, ...]:
    if axis == REPETITION:
        if not all(type(value) is int and value > 0 for value in values):
            raise ConfigError(f"axes.{REPETITION}: expected whole numbers from 1; got {list(values)}")
        return values
    try:
        return tuple(notebook.checked_against(known, case, {axis: value})[axis] for value in values)
    except ConfigError as error:
        raise ConfigError(f"axes.{axis}: {error}") from error


def _combinations(axes: Mapping[str, tuple[Scalar, ...]], zipped: list[list[str]]) -> Iterator[dict[str, Any]]:
    """Every combination of the axes' values, the last axis changing fastest; zipped axes change as one."""
    group_of = {name: tuple(group) for group in zipped for name in group}
    groups = dict.fromkeys(group_of.get(name, (name,)) for name in axes)
    steps = [list(zip(*(axes[name] for name in group), strict=True)) for group in groups]
    for combination in itertools.product(*steps):
        chosen = {
            name: value
            for group, values in zip(groups, combination, strict=True)
            for name, value in zip(group, values, strict=True)
        }
        yield {name: chosen[name] for name in axes}


def _values(
    known: Mapping[str, notebook.Parameter], fixed: Mapping[str, Any], axes: Mapping[str, Any]
) -> dict[str, Any]:
    """What the notebook is asked for; another repetition draws another wake-up latency, unless the seed is swept."""
    values = {**fixed, **{name: value for name, value in axes.items() if name != REPETITION}}
    if REPETITION in axes and _SEED in known and _SEED not in axes:
        values[_SEED] = values.get(_SEED, known[_SEED].default) + axes[REPETITION] - 1
    return values


def _check_case(path: Path, points: list[Point]) -> None:
    """Whether each point is a valid experiment, for the notebooks that are named after a case file."""
    if not (CASES / f"{path.stem}.yaml").is_file():
        return
    case = load_case(path.stem)
    for point in points:
        try:
            case.with_parameters(**{k: v for k, v in point.values.items() if k not in _NOT_OF_THE_CASE})
        except ConfigError as error:
            raise ConfigError(f"{error}\n  at the point {point}; leave it out with a constraint") from error
