"""What tab completion offers in a module: its own names, and not what it has imported for itself."""

from __future__ import annotations

import sys
from collections.abc import Callable


def own(module_name: str) -> Callable[[], list[str]]:
    """What a module takes as its `__dir__`.

    Offered is `__all__`, and without one the functions and classes that are defined in the module.
    """

    def names() -> list[str]:
        content = vars(sys.modules[module_name])
        defined = (name for name, value in content.items() if getattr(value, "__module__", None) == module_name)
        public = content.get("__all__") or [name for name in defined if not name.startswith("_")]
        return sorted({*public, *(name for name in content if name.startswith("__"))})

    return names
