"""The equations of both models, and the numbers that they share, as HTML."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from html import escape
from typing import TYPE_CHECKING

import sympy as sp

from physcm.abstraction.constraints import CausalConstraintsModel
from physcm.abstraction.reporting.html import cell, prose, table
from physcm.mechanism.errors import PhyscmError
from physcm.mechanism.expression import to_text
from physcm.scm import SCM, LinearSCM
from physcm.sim import System, conservation_laws

if TYPE_CHECKING:
    from physcm.abstraction.reporting.report import Report


def models(report: Report) -> str:
    """Return both models: the one below on the left, the causal model on the right."""
    low = report.low
    if not isinstance(low, System):
        below = _equations("Model below (SCM)", low.to_scm() if isinstance(low, LinearSCM) else low)
        return f'<div class="pair"><div>{below}</div><div>{_above(report)}</div></div>'
    dynamics = {f"d{name}/dt": f for name, f in low.drift.items()} | {**low.derived}
    noise = {f"{state} by {source}": g for (state, source), g in low.noise.items()}
    bounds = {name: f"{a:g} to {b:g}" for name, (a, b) in low.bounds.items()}
    left = [
        _titled("Dynamics", _formulas(dynamics)),
        _titled("Noise", _formulas(noise, ":")),
        _titled("Conserved", _laws(report, low)),
    ]
    values = [
        _titled("Initial values", _formulas({f"{k}(0)": v for k, v in low.initial.items()})),
        _titled("Physical range", _formulas(bounds, "from")),
    ]
    return (
        f'<div class="pair"><div>{"".join(left)}</div><div>{_above(report)}</div></div>'
        f'<div class="pair"><div>{_titled("Parameters", _formulas(low.parameters))}</div>'
        f"<div>{''.join(values)}</div></div>"
    )


def _above(report: Report) -> str:
    high = report.high
    if not isinstance(high, CausalConstraintsModel):
        shown = report.low.parameters.keys() if isinstance(report.low, System) else ()
        return _equations("Causal model (SCM)", high, shown)
    active = _titled("The active constraints, as an SCM", f"<pre>{escape(str(high.scm))}</pre>")
    return _titled("Causal constraints", _constraints(high)) + active


def _equations(title: str, model: SCM, shown: Collection[str] = ()) -> str:
    """Return structural equations with the laws of what they read, but for what is shown."""
    own = {k: v for k, v in model.parameters.items() if k not in shown}
    noise = {k: v for k, v in model.exogenous.items() if k not in shown and not k.endswith("(0)")}
    return (
        _titled(title, f"<pre>{escape(str(model))}</pre>")
        + _titled("Exogenous", _formulas(noise, "~"))
        + _titled("Its parameters", _formulas(own))
    )


def _titled(title: str, content: str) -> str:
    return f"<h3>{escape(title)}</h3>{content}" if content else ""


def _formulas(entries: Mapping[str, object], relation: str = "=") -> str:
    body = [
        f"<tr>{cell(name, 'name')}{cell(f'{relation} {_value(value)}', 'formula')}</tr>"
        for name, value in entries.items()
    ]
    return f"<table>{''.join(body)}</table>" if body else ""


def _value(value: object) -> str:
    if isinstance(value, sp.Basic):
        return to_text(value)
    if isinstance(value, tuple):
        return f"{len(value)} values, one per sample, from {min(value):.6g} to {max(value):.6g}"
    return f"{value:.10g}" if isinstance(value, int | float) else str(value)


def _laws(report: Report, low: System) -> str:
    """Return the conserved totals of the system without interventions."""
    if isinstance(report.high, CausalConstraintsModel):
        laws = report.high.generic
    else:
        try:
            laws = conservation_laws(low)
        except PhyscmError as error:
            return f'<p class="note">{prose(str(error))}</p>'
    if not laws:
        return '<p class="note">no linear combination of the states</p>'
    return f"<pre>{escape(chr(10).join(f'{law} = constant' for law in laws))}</pre>"


def _constraints(model: CausalConstraintsModel) -> str:
    active = set(model.active)
    body = []
    for constraint in model.constraints:
        is_active = constraint in active
        sides = f"{to_text(constraint.equation.lhs)} = {to_text(constraint.equation.rhs)}"
        lifted = ", ".join(sorted(constraint.lifted_by))
        cells = cell(sides, "formula") + cell(lifted, "name")
        answer = cell("active" if is_active else "lifted", "" if is_active else "off")
        body.append(f"<tr>{cells}{answer}</tr>")
    head = ("constraint", "lifted by holding", "doing nothing")
    return f'<div class="scroll">{table(head, body)}</div>'
