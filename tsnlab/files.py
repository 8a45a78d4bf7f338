"""Reading lab and case files: YAML into checked values, with errors that name file, key and what was expected."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from tsnlab.errors import ConfigError


class Value(BaseModel):
    """A checked, immutable value of a file; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        """What IPython shows; `repr` stays what can be read back."""
        from tsnlab.show import facts

        plain = type(self).__str__ is BaseModel.__str__
        printer.text(facts.text(type(self).__name__, facts.of_value(self)) if plain else str(self))

    def _repr_html_(self) -> str:
        from tsnlab.show import facts

        return facts.html(type(self).__name__, facts.of_value(self))


ValueT = TypeVar("ValueT", bound=Value)


def find(name: str | Path, folder: Path) -> Path:
    """The file a user means by a path, or by a bare name for one of those that come with tsnlab.

    Raises:
        ConfigError: there is no such file; names those there are.
    """
    path = Path(name)
    if path.is_file():
        return path
    known = folder / f"{path.name}.yaml" if path.suffix != ".yaml" else folder / path.name
    if path.parent == Path() and known.is_file():
        return known
    there = ", ".join(sorted(file.stem for file in folder.glob("*.yaml")))
    raise ConfigError(f"there is no file {path}; {folder.name} that come with tsnlab: {there}")


def load(path: Path, model: type[ValueT]) -> ValueT:
    """Reads a YAML file into a checked value.

    Raises:
        ConfigError: not YAML, or a key is unknown, missing or has a wrong value; names each with what was expected.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from error
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    return check(content, model, str(path))


def check(content: object, model: type[ValueT], where: str, *, exact: bool = False) -> ValueT:
    """Checks what a file or a caller says; see :func:`load`.

    Args:
        exact: integers without a unit are taken as ns and bit/s, as a checked value holds them.
    """
    try:
        return model.model_validate(content, context={"exact": exact})
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(where, problem) for problem in error.errors())) from None


def _explain(where: str, problem: object) -> str:
    assert isinstance(problem, dict)
    key = ".".join(str(part) for part in problem["loc"]) or "(the whole file)"
    if problem["type"] == "extra_forbidden":
        return f"{where}: {key}: unknown key"
    if problem["type"] == "missing":
        return f"{where}: {key}: missing"
    message = problem["msg"].removeprefix("Value error, ")
    got = "" if problem["type"] == "value_error" else f"; got {problem['input']!r}"
    return f"{where}: {key}: {message}{got}"
