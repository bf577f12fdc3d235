"""Names for what has none: letters by what a tensor is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..drawing.letters import Names
from ..engine.tensor import Tensor
from ..visible import visible


class Naming:
    """The names of tensors: the user's, else letters that nothing else has.

    Args:
        names: names for tensors, before their own.
        tensors: all tensors that may be named, so that no letter collides with a name. Where several have one name,
            the first keeps it.

    Attributes:
        renamed: by its name here what a tensor is called that could not keep its name.

    Raises:
        TypeError: when `names` is no dict from text to Tensors.
    """

    def __init__(self, names: Mapping[str, Tensor] | None, tensors: Iterable[Tensor]) -> None:
        self._names: dict[Tensor, str] = {}
        self._free = Names().free
        self.renamed: dict[str, str] = {}
        for name, t in (names or {}).items():
            if not isinstance(name, str) or not isinstance(t, Tensor):
                raise TypeError(f"names is a dict from text to Tensors, got {name!r}: {type(t).__name__}")
            self._names[t] = self._free(visible(name))
        for t in tensors:
            if t.name is not None and t not in self._names:
                shown = visible(t.name)
                self._names[t] = self._free(shown)
                if self._names[t] != shown:
                    self.renamed[self._names[t]] = shown

    def name(self, t: Tensor) -> str | None:
        """The user's name of a tensor."""
        return self._names.get(t)

    def letter(self, wish: str) -> str:
        """A letter that nothing else has: the one wished for, with a number when it is taken."""
        return self._free(wish)
