"""The constraints of a sweep: which points of a product are to be measured, as arithmetic on parameters."""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import CodeType
from typing import Any

from tsnlab.errors import ConfigError

_ALLOWED = (
    *(ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.BinOp, ast.Add, ast.Sub),
    *(ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE),
    *(ast.In, ast.NotIn, ast.Tuple, ast.List, ast.Name, ast.Load, ast.Constant),
)


@dataclass(frozen=True)
class Constraint:
    """One condition such as ``offset_us + etf_delta_us < 100``; a point that does not meet it is left out."""

    text: str
    _code: CodeType

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Whether a point is to be measured.

        Raises:
            ConfigError: its values cannot be compared or computed with.
        """
        try:
            return bool(eval(self._code, {"__builtins__": {}}, dict(values)))
        except (TypeError, ArithmeticError) as error:
            raise ConfigError(f"constraint {self.text!r}: {error}, at {dict(values)}") from error


def constraint(text: str, known: Collection[str]) -> Constraint:
    """Reads a constraint.

    Args:
        known: the names it may use.

    Raises:
        ConfigError: it is more than comparison and arithmetic, or uses another name.
    """
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError as error:
        raise ConfigError(f"constraint {text!r}: {error.msg}; write it like 'offset_us + etf_delta_us < 100'") from None
    for node in ast.walk(tree):
        if not isinstance(node, _ALLOWED):
            got = ast.unparse(node)
            raise ConfigError(f"constraint {text!r}: only comparison, arithmetic, and, or, not; got {got!r}")
        if isinstance(node, ast.Name) and node.id not in known:
            raise ConfigError(f"constraint {text!r}: {node.id!r} is no parameter; there are {', '.join(sorted(known))}")
    return Constraint(text, compile(tree, "<constraint>", "eval"))
