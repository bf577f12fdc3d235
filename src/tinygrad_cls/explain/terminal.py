"""A derivation as text for a terminal."""

from __future__ import annotations

from .derivation import Derivation


def derivation_text(d: Derivation) -> str:
    lines = [f"∂{d.output}/∂{d.wrt}", ""]
    for i, s in enumerate(d.steps, 1):
        if s.kind == "chain rule":
            lines.append(f"{i:3} {s.rule}: {s.definition[0]} = {s.definition[1]}    " + ",  ".join(f"∂{n} = {f}" for n, f in s.results) + f"   ({s.error:.1e}) {s.reason}")
        else:
            lines.append(f"{i:3} {s.rule}: {s.before}  →  {s.after}   ({s.error:.1e}) {s.reason}")
    lines += ["", f"= {d.gradient}", *(f"  where {n} = {f}" for n, f in d.where), *d.assumptions, *d.remarks, str(d.sizes)]
    return "\n".join(lines)
