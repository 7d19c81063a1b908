"""Elementary functions on vectors of samples, against many digits; programs, normals, the cache."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable

import mpmath
import numpy as np
import pytest
import sympy as sp

from physcm.mechanism.codegen import Program
from physcm.mechanism.expression import symbol
from physcm.mechanism.lanes import compiler
from physcm.mechanism.lanes.blocks import LANES
from physcm.mechanism.lanes.compiler import compiled
from physcm.mechanism.lanes.module import module
from physcm.mechanism.lanes.normals import normals_code
from physcm.mechanism.randomness import key, step_normals

X, Y = symbol("x"), symbol("y")
_POINTERS = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)


def evaluated(expression: sp.Expr, x: np.ndarray, y: np.ndarray | float = 0.0) -> np.ndarray:
    """Return an expression's values over points, by the code for blocks of samples."""
    code = compiled(module("test", {"f": Program(("x", "y"), (), (), (expression,))}))
    function = _POINTERS(code.address("f"))
    points = np.array(np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float)))
    count = points.shape[1]
    padded = np.zeros((2, -(-count // LANES) * LANES))
    padded[:, :count] = points
    values = np.empty(padded.shape[1])
    time, out = np.zeros(LANES), np.empty(LANES)
    for begin in range(0, padded.shape[1], LANES):
        block = padded[:, begin : begin + LANES].copy()
        function(time.ctypes.data, block.ctypes.data, 0, out.ctypes.data)
        values[begin : begin + LANES] = out
    return values[:count]


def worst_ulps(values: np.ndarray, exact: Callable[..., mpmath.mpf], *points: np.ndarray) -> float:
    """Return the largest error in units of the last place of the true value."""
    worst = 0.0
    with mpmath.workdps(40):
        for value, *at in zip(values, *points, strict=True):
            true = exact(*map(mpmath.mpf, at))
            size = abs(float(true))
            if 1e-300 < size < math.inf:
                worst = max(worst, float(abs(mpmath.mpf(value) - true) / np.spacing(size)))
    return worst


RANDOM = np.random.default_rng(0)
SPREAD = RANDOM.normal(0, 3, 2000)
WIDE = RANDOM.uniform(-700, 700, 2000)
TINY = 10.0 ** RANDOM.uniform(-20, 1, 2000)
HUGE_ANGLES = RANDOM.uniform(-1e8, 1e8, 2000)


@pytest.mark.parametrize(
    ("function", "exact", "points", "ulps"),
    [
        (sp.exp, mpmath.exp, np.r_[SPREAD, WIDE], 1),
        (sp.log, mpmath.log, np.r_[np.exp(WIDE), 1 + 1e-3 * SPREAD, TINY], 1),
        (sp.sin, mpmath.sin, np.r_[SPREAD, 1e4 * SPREAD, HUGE_ANGLES], 2),
        (sp.cos, mpmath.cos, np.r_[SPREAD, 1e4 * SPREAD, HUGE_ANGLES], 2),
        (sp.tan, mpmath.tan, np.r_[SPREAD, 1e3 * SPREAD], 4),
        (sp.sinh, mpmath.sinh, np.r_[SPREAD, WIDE, TINY], 3),
        (sp.cosh, mpmath.cosh, np.r_[SPREAD, WIDE], 3),
        (sp.tanh, mpmath.tanh, np.r_[SPREAD, TINY], 3),
        (sp.atan, mpmath.atan, SPREAD, 1),
        (sp.gamma, mpmath.gamma, RANDOM.uniform(0.1, 20, 500), 8),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_elementary_functions_are_accurate_to_the_last_places(function, exact, points, ulps):
    assert worst_ulps(evaluated(function(X), points), exact, points) <= ulps


def test_powers_are_accurate_to_the_last_places_also_where_they_are_huge():
    base, exponent = 10.0 ** RANDOM.uniform(-5, 5, 4000), RANDOM.uniform(-50, 50, 4000)
    assert worst_ulps(evaluated(X**Y, base, exponent), mpmath.power, base, exponent) <= 2


SPECIAL = [0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, 3.0, 1e-310, 800.0, -800.0, 1e300]
SPECIAL += [math.inf, -math.inf, math.nan]


@pytest.mark.parametrize("name", ["exp", "log", "sin", "cos", "sinh", "cosh", "tanh", "sqrt"])
def test_elementary_functions_treat_special_values_as_numpy_does(name):
    points = np.array(SPECIAL)
    with np.errstate(all="ignore"):
        expected = getattr(np, name)(points)
    np.testing.assert_allclose(evaluated(getattr(sp, name)(X), points), expected, rtol=1e-14)


@pytest.mark.parametrize(("form", "function"), [(X**Y, np.power), (sp.Mod(X, Y), np.mod)])
def test_powers_and_remainders_treat_special_values_as_numpy_does(form, function):
    x, y = (grid.ravel() for grid in np.meshgrid(SPECIAL, SPECIAL))
    with np.errstate(all="ignore"):
        expected = function(x, y)
    np.testing.assert_allclose(evaluated(form, x, y), expected, rtol=1e-14)


def test_a_program_gives_what_numpy_gives():
    k, v = symbol("k"), symbol("v")
    outputs = (
        sp.Piecewise((v - X / 3, (v > 1) & ~(X < 0)), (sp.Max(X, Y, k) ** 3, True)),
        sp.sqrt(sp.Abs(X)) ** 3 / (1 + v**2) - sp.floor(Y) * sp.sign(X),
        sp.E * X - sp.pi,
    )
    program = Program.over(("x", "y"), ("k",), {"v": k * X + Y}, outputs)
    x, p = RANDOM.normal(0, 2, (2, LANES)), RANDOM.normal(0, 2, (1, LANES))
    out, time = np.empty((3, LANES)), np.zeros(LANES)
    code = compiled(module("test", {"f": program}))
    _POINTERS(code.address("f"))(*(a.ctypes.data for a in (time, x, p, out)))
    np.testing.assert_allclose(out, program.vector(0.0, x, p), rtol=1e-13)


def block_normals(seed: int, source: str, samples: np.ndarray, pair: int) -> np.ndarray:
    kind = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 2, ctypes.c_int64, *[ctypes.c_void_p] * 2)
    keys, draws = np.full(LANES, key(seed, source), np.uint64), np.empty((2, LANES))
    even, odd = draws[0].ctypes.data, draws[1].ctypes.data
    kind(normals_code().address("normals"))(keys.ctypes.data, samples.ctypes.data, pair, even, odd)
    return draws


@pytest.mark.parametrize("first", [0, 10**6, 2**40])
def test_normals_of_a_block_are_those_of_numpy(first):
    samples = np.arange(first, first + LANES)
    for pair in (0, 7, 2**35):
        steps = np.array([[2 * pair], [2 * pair + 1]])
        expected = step_normals(3, "W(x)", samples, steps)
        draws = block_normals(3, "W(x)", samples, pair)
        np.testing.assert_allclose(draws, expected, rtol=1e-13, atol=1e-15)


def test_generated_code_names_the_system_and_its_variables():
    text = module("my neuron", {"drift": Program(("V",), (), (), (symbol("V") ** 2,))})
    assert "; my neuron" in text
    assert "; V = x[0]" in text
    assert "; out[0] = V**2" in text


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PHYSCM_CACHE_DIR", str(tmp_path / "cache"))
    compiled.cache_clear()
    yield tmp_path / "cache"
    compiled.cache_clear()


def test_a_second_process_finds_the_code_on_disk(cache, monkeypatch):
    assert evaluated(X + 1, np.array([1.0])).tolist() == [2.0]
    compiled.cache_clear()
    monkeypatch.setattr(compiler, "_emit", lambda *_: pytest.fail("compiled a second time"))
    assert evaluated(X + 1, np.array([1.0])).tolist() == [2.0]


def test_a_damaged_cache_file_is_made_anew(cache):
    evaluated(X + 1, np.array([1.0]))
    (file,) = cache.glob("*.o")
    whole = file.read_bytes()
    for damage in (b"", b"nonsense", whole[:-1], whole[:40] + b"\0" + whole[41:]):
        file.write_bytes(damage)
        compiled.cache_clear()
        assert evaluated(X + 1, np.array([1.0])).tolist() == [2.0]
        assert file.read_bytes() == whole


def test_a_cache_that_cannot_be_written_does_not_matter(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("PHYSCM_CACHE_DIR", str(tmp_path / "file" / "cache"))
    compiled.cache_clear()
    assert evaluated(X + 1, np.array([1.0])).tolist() == [2.0]
