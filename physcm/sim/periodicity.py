"""Angles: states by whose full turns the equations do not change.

A state that is read by sines, cosines and tangents alone, at multiples a_i x + ... of itself,
has the period 2 pi / gcd(a_i). Wherever such a system has one equilibrium it has infinitely
many, a turn apart.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import sympy as sp

from physcm.mechanism.codegen import Floats
from physcm.mechanism.expression import symbol
from physcm.sim.conservation import conservation_laws
from physcm.sim.system import System

_WAVES = (sp.sin, sp.cos, sp.tan)


def periods(system: System) -> Mapping[str, float]:
    """Return the period of each state that has one.

    >>> pendulum = System(
    ...     {"theta": "omega", "omega": "-sin(theta) + cos(3*theta/2)"},
    ...     initial={"theta": 1, "omega": 0},
    ... )
    >>> periods(pendulum)
    {'theta': 12.566370614359172}
    """
    program = system.rates.written or system.rates
    mechanisms = sp.Tuple(*program.outputs, *(e for _, e in program.definitions))
    found = {name: _period(mechanisms, symbol(name)) for name in system.states}
    return {name: period for name, period in found.items() if period is not None}


def free_angles(system: System) -> Mapping[str, float]:
    """Return the periods of states that no bounds and no conservation law keep from turning."""
    tied = {name for law in conservation_laws(system) for name, _ in law.coefficients}
    tied |= system.bounds.keys()
    return {name: period for name, period in periods(system).items() if name not in tied}


def turned(x: Floats, near: Floats, turns: Floats) -> Floats:
    """Return states with angles turned to within half a turn of other states.

    Args:
        x: the states.
        near: the others, of a shape that broadcasts.
        turns: the period of each state, NaN or infinite where it is no angle; likewise.

    >>> turned(np.array([7.0, 7.0]), np.zeros(2), np.array([2 * np.pi, np.nan])).round(2)
    array([0.72, 7.  ])
    """
    angles = np.isfinite(turns)
    period = np.where(angles, turns, 1.0)
    return np.asarray(x - np.where(angles, period * np.round((x - near) / period), 0.0))


def on_circles(states: Floats, turns: Floats) -> Floats:
    """Return states with, behind them, the sines and then the cosines of those that are angles.

    Args:
        states: shape (states, ...).
        turns: the period of each, NaN where it is no angle, shape (states,).

    >>> on_circles(np.array([3.0, np.pi]), np.array([np.nan, 2 * np.pi])).round(6)
    array([ 3.      ,  3.141593,  0.      , -1.      ])
    """
    angles = np.isfinite(turns)
    turned = (states[angles].T / turns[angles]).T
    return np.concatenate([states, np.sin(2 * np.pi * turned), np.cos(2 * np.pi * turned)])


def _period(mechanisms: sp.Tuple, x: sp.Symbol) -> float | None:
    waves = {wave for wave in mechanisms.atoms(*_WAVES) if x in wave.free_symbols}
    if not waves or x in mechanisms.xreplace(dict.fromkeys(waves, sp.S.Zero)).free_symbols:
        return None
    slopes = [sp.diff(wave.args[0], x) for wave in waves]
    ratios = [slope / slopes[0] for slope in slopes]
    if not slopes[0].is_number or not all(ratio.is_Rational for ratio in ratios):
        return None
    return float(2 * sp.pi / (abs(slopes[0]) * sp.gcd_list(ratios)))
