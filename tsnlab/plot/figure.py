"""A figure that shows itself in a notebook without pyplot; imported only when something is drawn."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from matplotlib.figure import Figure  # noqa: TID253 - a base class; this module is only imported to draw

_DPI = 160


class LabFigure(Figure):
    """A matplotlib Figure with the picture that IPython asks for.

    IPython draws bare figures only after pyplot has been imported; this one brings its own PNG, at twice the
    resolution of the page.
    """

    def _repr_png_(self) -> tuple[bytes, dict[str, Any]]:
        picture = BytesIO()
        self.savefig(picture, format="png", dpi=_DPI)
        width, height = (int(inches * _DPI / 2) for inches in self.get_size_inches())
        return picture.getvalue(), {"width": width, "height": height}
