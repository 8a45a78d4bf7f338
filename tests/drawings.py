"""What is in the drawings of an HTML text."""

from __future__ import annotations

import base64
import re
from xml.etree import ElementTree

from tsnlab.show import ink

_SVG = "{http://www.w3.org/2000/svg}"


def svg(html: str) -> str:
    """The drawings as SVG, one after the other."""
    return "".join(base64.b64decode(data).decode() for data in re.findall(re.escape(ink.SOURCE) + '([^"]*)"', html))


def words(html: str) -> list[str]:
    """What can be read in the one drawing of the text; it fails if that is not well-formed XML."""
    return [element.text or "" for element in ElementTree.fromstring(svg(html)).iter(f"{_SVG}text")]
