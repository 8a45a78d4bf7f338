"""The notebooks of the cases: where they are, and what parameters they take."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tsnlab.errors import ConfigError
from tsnlab.paths import NOTEBOOKS

OWN_PARAMETER = "run_folder"
"""The parameter that the runner sets itself."""


@dataclass(frozen=True)
class Parameter:
    """One line of a notebook's parameters cell, such as ``packets: int = 5000  # number of packets``."""

    name: str
    kind: str
    default: Any
    help: str


def find(name: str) -> Path:
    """The notebook a user means by a path, or by the bare name of one that comes with tsnlab.

    Raises:
        ConfigError: there is no such notebook; names those there are.
    """
    path = Path(name)
    if path.suffix == ".ipynb" and path.is_file():
        return path.absolute()
    known = NOTEBOOKS / f"{name}.ipynb"
    if path.name == name and known.is_file():
        return known
    there = ", ".join(sorted(file.stem for file in NOTEBOOKS.glob("*.ipynb")))
    raise ConfigError(f"there is no case {name!r}; notebooks that come with tsnlab: {there}")


def parameters(path: Path) -> dict[str, Parameter]:
    """The parameters of a notebook, in order, as papermill reads them.

    Raises:
        ConfigError: the file is not a notebook.
    """
    import papermill

    try:
        found = papermill.inspect_notebook(literal(path))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: not a notebook: {error}") from error
    return {
        name: Parameter(name, one["inferred_type_name"], _value(one["default"]), one["help"])
        for name, one in found.items()
    }


def checked(path: Path, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values for a notebook's parameters, each turned from text, as on a command line, into its type.

    Raises:
        ConfigError: there is no such parameter, or the value is of another type; names the known ones.
    """
    return checked_against(parameters(path), path.stem, values)


def checked_against(known: Mapping[str, Parameter], case: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The same for parameters that have been read already; `case` is the notebook's name in errors.

    Raises:
        ConfigError: see :func:`checked`.
    """
    for name in values:
        if name not in known or name == OWN_PARAMETER:
            names = ", ".join(f"{one.name} ({one.kind})" for one in known.values() if one.name != OWN_PARAMETER)
            raise ConfigError(f"{case} has no parameter {name!r} to set; it has {names}")
    return {name: _typed(case, known[name], value) for name, value in values.items()}


def literal(path: Path) -> str:
    """A path as papermill takes it: braces would be fields to fill in."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _truth(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


_FROM_TEXT: Mapping[str, Callable[[str], Any]] = {"int": int, "float": float, "bool": _truth, "str": str}
_EXPECTED = {"int": "a whole number", "float": "a number", "bool": "True or False", "str": "a text"}


def _typed(case: str, parameter: Parameter, value: Any) -> Any:
    """The value in the parameter's type; an int is a float as well, but a bool is neither."""
    kind = parameter.kind
    if type(value).__name__ == kind:
        return value
    if kind == "float" and type(value) is int:
        return float(value)
    try:
        if isinstance(value, str) and kind in _FROM_TEXT:
            return _FROM_TEXT[kind](value)
    except (ValueError, KeyError):
        pass
    expected = _EXPECTED.get(kind, kind)
    about = f" ({parameter.help})" if parameter.help else ""
    raise ConfigError(f"{case}: parameter {parameter.name!r}{about}: expected {expected}; got {value!r}")
