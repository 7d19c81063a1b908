"""Models as text: JSON that is read back to the same model, and LaTeX for papers.

The JSON holds expressions in the form that the safe parser reads, and numbers to the last bit;
nothing in it is ever evaluated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from physcm.mechanism.errors import InvalidFile, InvalidValue
from physcm.mechanism.expression import names_in, symbol, to_text
from physcm.mechanism.opaque import Opaque
from physcm.mechanism.values import from_plain, to_plain

if TYPE_CHECKING:
    from physcm.scm.scm import SCM

FORMAT, VERSION = "physcm.scm", 1
_FIELDS = ("mechanisms", "exogenous", "parameters", "domains", "guesses")
_FORM = re.compile(r"(\w+)\((.*)\)")


def to_json(model: SCM) -> str:
    """Return a model as JSON; an end of a domain that is infinite is null."""
    content: dict[str, Any] = {"format": FORMAT, "version": VERSION, "name": model.name}
    content["mechanisms"] = {k: _text(k, m) for k, m in model.mechanisms.items()}
    for field in ("exogenous", "parameters"):
        content[field] = {k: to_plain(v) for k, v in getattr(model, field).items()}
    content["domains"] = {
        k: [end if np.isfinite(end) else None for end in ends] for k, ends in model.domains.items()
    }
    content["guesses"] = dict(model.guesses)
    if model.dynamics is not None:
        content["dynamics"] = {k: _text(k, f) for k, f in model.dynamics.items()}
    return json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False)


def fields_of(text: str) -> dict[str, Any]:
    """Return the arguments of the model that a text describes.

    Raises:
        InvalidFile: for a text that is no JSON, or not of this format and version.
    """
    try:
        content = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidFile(f"the text is no JSON ({error}); give what to_json wrote") from None
    if not isinstance(content, Mapping) or content.get("format") != FORMAT:
        raise InvalidFile(f"the text has not the format `{FORMAT}`; give what to_json wrote")
    if content.get("version") != VERSION:
        raise InvalidFile(
            f"the text has version `{content.get('version')}`, and this physcm reads {VERSION}; "
            "write it again, or use the physcm that wrote it"
        )
    unknown = content.keys() - {"format", "version", "name", "dynamics", *_FIELDS}
    if unknown:
        raise InvalidFile(f"`{min(unknown)}` is no part of a model; remove it")
    for field in _FIELDS:
        if not isinstance(content.get(field), Mapping):
            raise InvalidFile(f"`{field}` is missing or no table; give one, empty if need be")
    given = {field: content[field] for field in _FIELDS}
    for field in ("exogenous", "parameters"):
        given[field] = {name: from_plain(value) for name, value in given[field].items()}
    given["domains"] = {name: _interval(name, ends) for name, ends in given["domains"].items()}
    dynamics = content.get("dynamics")
    if not isinstance(dynamics, Mapping | None):
        raise InvalidFile(f"`dynamics` is `{dynamics}`; give a table, or leave it out")
    return {**given, "name": str(content.get("name", "")), "dynamics": dynamics}


def to_latex(model: SCM) -> str:
    """Return the structural equations as an `align*` environment of LaTeX."""
    names = {s: _latex_name(s) for name in _all_names(model) for s in [symbol(name)]}

    def written(expression: sp.Basic) -> str:
        return str(sp.latex(expression, symbol_names=names))

    lines = [
        f"{written(m.lhs)} &= {written(m.rhs)} && ({written(symbol(name))})"
        if isinstance(m, sp.Eq)
        else f"{written(symbol(name))} &= {written(m)}"
        for name, m in model.mechanisms.items()
    ]
    body = " \\\\\n".join(lines)
    return f"\\begin{{align*}}\n{body}\n\\end{{align*}}"


def _all_names(model: SCM) -> set[str]:
    return {*model.variables}.union(*map(names_in, model.mechanisms.values()))


def _latex_name(name: sp.Symbol) -> str:
    form = _FORM.fullmatch(name.name)
    if form is None:
        return str(sp.latex(name))
    inner = ", ".join(str(sp.latex(sp.Symbol(part.strip()))) for part in form[2].split(","))
    return rf"\operatorname{{{form[1]}}}({inner})"


def _text(name: str, mechanism: sp.Basic) -> str:
    if mechanism.has(Opaque):
        raise InvalidValue(
            f"`{name}` is computed by a Python function in `{mechanism}`, which has no form in "
            "files; write it as an expression"
        )
    return to_text(mechanism)


def _interval(name: str, ends: Any) -> tuple[float, float]:
    if not isinstance(ends, list) or len(ends) != 2:
        raise InvalidFile(f"domain of `{name}` is `{ends}`; give two numbers, or null for no end")
    low, high = ends
    return (-np.inf if low is None else low), (np.inf if high is None else high)
