"""The boxes of a picture, and how it is to look."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from ..engine.recording import Scope
from ..engine.tensor import Array
from .graph import Graph, Literal


@dataclass(frozen=True)
class Box:
    """One box: the nodes it stands for, the last of which gives its value."""

    kind: str  # "parameter", "constant", "operation", "composite", "elided"
    nodes: tuple[int, ...]
    inputs: tuple[int | Literal, ...]  # nodes, in the order of the operands
    flows: tuple[bool, ...] = ()  # for each input whether a gradient goes back to it
    formula: str = ""  # with a slot for each input
    frames: tuple[Scope, ...] = ()  # the unfolded composites around it
    title: str = ""  # for "composite" and "elided"
    module: bool = False  # whether the composite is a layer
    holds: tuple[int, ...] = ()  # a folded layer's own parameters
    again: frozenset[int] = frozenset()  # of a repeated layer, the operands that the layer before gave
    part: bool = False  # of a composite, whether its own result is not among the nodes


@dataclass(frozen=True)
class Plan:
    """The boxes of a picture by key (the last node that they stand for), each after its inputs."""

    graph: Graph
    boxes: dict[int, Box]
    outputs: list[int]
    repeats: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)  # (how often, boxes shown once)
    elided: frozenset[int] = frozenset()  # the boxes that one sums up
    rest: int = -1  # the key of that one

    def sources(self, key: int) -> list[tuple[int, bool]]:
        """The boxes that a box takes from, and whether a gradient goes back to each."""
        box = self.boxes[key]
        pairs = [
            (self.rest if x in self.elided else x, flows)
            for x, flows in zip(box.inputs, box.flows, strict=True)
            if not isinstance(x, Literal)
        ]
        return [(x, flows) for x, flows in pairs if x in self.boxes]


class Look(NamedTuple):
    """What of a plan is drawn, and how: see `draw`."""

    gradients: dict[int, Array]
    values: bool = True
    direction: str | None = None
    legend: bool = True
    lang: str = "en"
