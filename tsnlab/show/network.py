"""A lab as a drawing: who sends on the left, who receives on the right, the switch between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from tsnlab.lab import Endpoint, LabFile, Link
from tsnlab.quantity import show_duration, show_rate
from tsnlab.show import ink

_BOX, _SWITCH, _GAP, _EDGE = 250, 150, 112, 6
_ROW, _HEAD, _BETWEEN = 22, 44, 16
_LEFT, _RIGHT = _EDGE, _EDGE + _BOX + 2 * _GAP + _SWITCH
_MIDDLE = _EDGE + _BOX + _GAP
_WIDTH = 2 * (_EDGE + _BOX + _GAP) + _SWITCH


def roles(spec: LabFile, node: str) -> list[str]:
    """What a node plays in the guide's experiment, in its words."""
    played = spec.roles
    parts = {"talker": played.talker.node, "listener": played.listener.node, "load source": played.load_source.node}
    parts |= {"load sink": played.load_sink.node, "switch": played.switch}
    return [part for part, name in parts.items() if name == node]


@dataclass(frozen=True)
class _Box:
    """A node where it is drawn; its interfaces are on the side of the switch, one below the other."""

    name: str
    x: float
    y: float
    interfaces: tuple[str, ...]

    @property
    def height(self) -> float:
        return _HEAD + _ROW * len(self.interfaces)

    @property
    def inner(self) -> float:
        """The side that the cables are plugged into."""
        return self.x + _BOX if self.x == _LEFT else self.x

    def port(self, interface: str) -> float:
        """How far down an interface is."""
        return self.y + _HEAD + _ROW * (self.interfaces.index(interface) + 0.3)


def svg(spec: LabFile) -> str:
    """The drawing: nodes with roles and interfaces, the switch with its ports, links with rate and delay."""
    boxes = {box.name: box for side in _columns(spec) for box in _stacked(spec, *side)}
    below = max(box.y + box.height for box in boxes.values()) if boxes else _HEAD
    links = "".join(part for link in spec.links for part in _link(spec, link, boxes))
    nodes = "".join(_node(spec, box) for box in boxes.values())
    return ink.sheet(_WIDTH, below + 30, _in_words(spec), links, nodes, _switch(spec, below), _legend(below + 22))


def table(spec: LabFile) -> str:
    """Every interface with its addresses, to fold out below the drawing."""
    rows = "".join(
        f'<tr><td style="text-align:left">{escape(cell)}</td>'
        + "".join(f'<td style="text-align:left">{escape(text)}</td>' for text in rest)
        + "</tr>"
        for cell, *rest in _interfaces(spec)
    )
    head = "".join(f'<th style="text-align:left">{name}</th>' for name in ("interface", "address", "MAC", "queues"))
    return f"<details><summary>interfaces</summary><table><tr>{head}</tr>{rows}</table></details>"


def _interfaces(spec: LabFile) -> Iterator[tuple[str, str, str, str]]:
    for name, node in spec.nodes.items():
        for interface, about in node.interfaces.items():
            yield f"{name}:{interface}", about.address or "", about.mac or "", str(about.queues)


def _columns(spec: LabFile) -> list[tuple[float, list[str]]]:
    """The nodes left and right of the switch: senders left, receivers right, others where there is room."""
    played = spec.roles
    left = list(dict.fromkeys([played.talker.node, played.load_source.node]))
    right = [name for name in dict.fromkeys([played.listener.node, played.load_sink.node]) if name not in left]
    for name in spec.nodes:
        if name not in (*left, *right, played.switch):
            (left if len(left) <= len(right) else right).append(name)
    return [
        (side, [name for name in names if name != played.switch]) for side, names in ((_LEFT, left), (_RIGHT, right))
    ]


def _stacked(spec: LabFile, x: float, names: list[str]) -> Iterator[_Box]:
    y = 28.0  # below the name of the switch
    for name in names:
        box = _Box(name, x, y, tuple(spec.nodes[name].interfaces))
        y += box.height + _BETWEEN
        yield box


def _node(spec: LabFile, box: _Box) -> str:
    title = spec.nodes[box.name].title
    left = box.x == _LEFT
    short = ink.text(box.x + 10, box.y + 35, ink.cut(title, _BOX - 20), faint=True)
    parts = [
        ink.box(box.x, box.y, _BOX, box.height),
        ink.text(box.x + 10, box.y + 18, box.name, bold=True),
        ink.text(box.x + _BOX - 10, box.y + 18, ", ".join(roles(spec, box.name)), anchor="end"),
        f"<g><title>{escape(title)}</title>{short}</g>",
    ]
    inside = box.inner - 8 if left else box.inner + 8
    for name in box.interfaces:
        parts.append(ink.text(inside, box.port(name) + 4, name, anchor="end" if left else "start"))
    return "".join(parts)


def _switch(spec: LabFile, below: float) -> str:
    name = spec.roles.switch
    ports = spec.nodes[name].interfaces
    free = [port for port in ports if not any(Endpoint(node=name, interface=port) in link.ends for link in spec.links)]
    middle = _MIDDLE + _SWITCH / 2
    note = ink.text(middle, below - 8, f"free: {', '.join(free)}", anchor="middle", faint=True) if free else ""
    return (
        ink.box(_MIDDLE, 28, _SWITCH, below - 28)
        + ink.text(middle, 18, spec.nodes[name].title, anchor="middle", faint=True)
        + ink.text(middle, 46, name, anchor="middle", bold=True)
        + note
    )


def _link(spec: LabFile, link: Link, boxes: dict[str, _Box]) -> Iterator[str]:
    one, other = sorted(link.ends, key=lambda end: end.node == spec.roles.switch)
    if one.node not in boxes:
        return  # from the switch to itself
    start = boxes[one.node]
    y = start.port(one.interface)
    words = f"{show_rate(link.rate)}, {show_duration(link.delay)}"
    style = _style(spec, link)
    if other.node in boxes:
        yield _between(start, y, boxes[other.node], boxes[other.node].port(other.interface), words, style)
        return
    left = start.x == _LEFT
    near, far = (start.inner, _MIDDLE) if left else (_MIDDLE + _SWITCH, start.inner)
    yield ink.line(near, y, far, y, colour=style[0], extra=style[1])
    yield _heads(spec, one, near, far, y)
    yield ink.text((near + far) / 2, y - 6, words, anchor="middle", faint=True)
    edge = _MIDDLE + 8 if left else _MIDDLE + _SWITCH - 8
    yield ink.text(edge, y + 4, other.interface, anchor="start" if left else "end")


def _between(start: _Box, y: float, end: _Box, down: float, words: str, style: tuple[str, str]) -> str:
    """A cable between two nodes: it passes the switch, and is bent so that it can be told from others."""
    bend = 40 if start.x == _LEFT else -40
    towards = 40 if end.x == _LEFT else -40
    path = f"M{start.inner:.1f},{y:.1f} C{start.inner + bend:.1f},{y:.1f} {end.inner + towards:.1f},{down:.1f}"
    return (
        f'<path d="{path} {end.inner:.1f},{down:.1f}" fill="none" stroke="{style[0]}" {style[1]}>'
        f"<title>{escape(words)}</title></path>"
    )


def _style(spec: LabFile, link: Link) -> tuple[str, str]:
    """Colour and stroke: the stream's links are thick, those of best effort dashed."""
    if spec.roles.talker in link.ends or spec.roles.listener in link.ends:
        return ink.STREAM, 'stroke-width="3"'
    if spec.roles.load_source in link.ends or spec.roles.load_sink in link.ends:
        return ink.OTHER, 'stroke-width="1.5" stroke-dasharray="6 4"'
    return "currentColor", 'stroke-width="1.5"'


def _heads(spec: LabFile, end: Endpoint, near: float, far: float, y: float) -> str:
    """Which way the stream, or best effort, goes: left to right."""
    played = spec.roles
    if end not in (played.talker, played.listener, played.load_source, played.load_sink):
        return ""
    colour = ink.STREAM if end in (played.talker, played.listener) else ink.OTHER
    to_right = end in (played.talker, played.load_source)
    tip, back = (far, -10) if (to_right == (near < _MIDDLE)) else (near, 10)
    return f'<path d="M{tip:.1f},{y:.1f} l{back},-5 v10 z" fill="{colour}"/>'


def _legend(y: float) -> str:
    stream = ink.line(_LEFT, y - 4, _LEFT + 28, y - 4, colour=ink.STREAM, extra='stroke-width="3"')
    other = ink.line(_LEFT + 90, y - 4, _LEFT + 118, y - 4, colour=ink.OTHER, extra='stroke-dasharray="6 4"')
    return stream + ink.text(_LEFT + 34, y, "stream") + other + ink.text(_LEFT + 124, y, "best effort")


def _in_words(spec: LabFile) -> str:
    played = spec.roles
    return (
        f"Lab {spec.name}: the stream goes from {played.talker} through {played.switch} to {played.listener},"
        f" best effort from {played.load_source} to {played.load_sink}"
    )
