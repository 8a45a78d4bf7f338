"""What the kernel step gives: a kernel for the virtual lab, as a value that shows itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from tsnlab.kernel.config import SymbolTable


@dataclass(frozen=True, repr=False)
class Kernel:
    """A user-mode Linux kernel that the virtual lab can boot.

    Attributes:
        path: the binary, an ordinary program.
        version: as `uname -r` will say.
        virtual_time: whether it can run in virtual time (`time-travel=`); else only by the wall clock.
        modules: the folder with its loadable modules; None if everything is built in.
        config: its final .config; None where the kernel only tells it with `--showconfig`.
        symbols: every requested symbol beside what the kernel has.
        patches: the project's own changes in it, see params/kernel/patches.
    """

    path: Path
    version: str
    virtual_time: bool
    modules: Path | None = None
    config: Path | None = None
    symbols: SymbolTable = field(default=SymbolTable())
    patches: tuple[str, ...] = ()

    def __str__(self) -> str:
        facts = [f"{name:9} {value}" for name, value in self._facts()]
        return "\n".join([self._title(), *facts, self.symbols.summary, "", str(self.symbols)])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        facts = "".join(f"<tr><th>{name}<td>{escape(value)}</tr>" for name, value in self._facts())
        opened = " open" if self.symbols.lost else ""
        return (
            f"<b>{escape(self._title())}</b><table>{facts}</table><details{opened}>"
            f"<summary>{self.symbols.summary}</summary>{self.symbols._repr_html_()}</details>"
        )

    def _title(self) -> str:
        clock = "virtual time" if self.virtual_time else "wall-clock time"
        return f"Linux {self.version}, user-mode, {clock}"

    def _facts(self) -> list[tuple[str, str]]:
        named = [("binary", self.path), ("config", self.config), ("modules", self.modules)]
        patched = [("patches", ", ".join(self.patches))] if self.patches else []
        return [(name, str(path)) for name, path in named if path is not None] + patched
