"""Quantile functions against 40 digits, and machine code against NumPy, bit by bit."""

import mpmath
import numpy as np
import pytest

from physcm.mechanism import (
    Bernoulli,
    Beta,
    Distribution,
    Exponential,
    LogNormal,
    Normal,
    Uniform,
    randomness,
)
from physcm.mechanism.distributions.laws import law
from physcm.mechanism.lanes.draws import Draws
from physcm.mechanism.quantiles import ARRAYS, MANY, exp, log, plain, standard_normal
from physcm.mechanism.values import draw

RANDOM = np.random.default_rng(0)
MIDDLE = RANDOM.uniform(0, 1, 1000)
LOW = 10.0 ** RANDOM.uniform(-16, -1, 1000)
FAR = np.append(10.0 ** RANDOM.uniform(-323, -16, 500), [5e-324, 2.0**-900, 2.0**-901])
NEAR_HALF = 0.5 + RANDOM.uniform(-1, 1, 1000) * 10.0 ** RANDOM.uniform(-12, -1, 1000)
CLOSE = 1 + RANDOM.uniform(-1e-14, 1e-14, 100)
SEAMS = np.append((1 - np.sqrt(-np.expm1(-5.5))) / 2 * CLOSE, np.exp(-36.0) * CLOSE)
LAWS = [Normal(1, 2), LogNormal(0.3, 3), Uniform(-1, 0.3), Exponential(0.7), Bernoulli(0.3)]
every_law = pytest.mark.parametrize("distribution", LAWS, ids=lambda d: type(d).__name__)


def worst_ulps(values, exact):
    """Return the largest error in units of the last place of the true values."""
    pairs = ((mpmath.mpf(float(v)), true) for v, true in zip(values, exact, strict=True))
    return max(float(abs(v - true) / np.spacing(abs(float(true)))) for v, true in pairs)


def exact_normal(u):
    """Return the standard normal quantile by Newton's method on the logarithm."""
    p = min(mpmath.mpf(u), 1 - mpmath.mpf(u))
    x = -mpmath.sqrt(-2 * mpmath.log(p)) if p < 0.1 else mpmath.sqrt(2) * mpmath.erfinv(2 * p - 1)
    for _ in range(8 if p < 0.1 else 0):
        below = mpmath.erfc(-x / mpmath.sqrt(2)) / 2
        x -= mpmath.log(below / p) * below / mpmath.npdf(x)
    return x if u < 0.5 else -x


@pytest.mark.parametrize(
    "u", [MIDDLE, LOW, 1 - LOW, FAR, NEAR_HALF, SEAMS], ids="middle low high far half seams".split()
)
def test_the_normal_quantile_is_right_to_rounding(u):
    u = np.array(u)[np.array(u) < 1]
    with mpmath.workdps(40):
        assert worst_ulps(standard_normal(ARRAYS, u), [exact_normal(float(p)) for p in u]) < 2.6


def test_the_normal_quantile_is_odd():
    u = randomness.uniforms(0, "u", np.arange(1000))
    assert (standard_normal(ARRAYS, u) == -standard_normal(ARRAYS, 1 - u)).all()


def test_the_logarithm_and_the_exponential_are_right_to_rounding():
    x = RANDOM.uniform(-700, 700, 1000)
    with mpmath.workdps(40):
        assert worst_ulps(log(ARRAYS, LOW), [mpmath.log(mpmath.mpf(p)) for p in LOW]) < 1
        assert worst_ulps(exp(ARRAYS, x), [mpmath.exp(mpmath.mpf(p)) for p in x]) < 1


def test_small_probabilities_of_an_exponential_keep_their_digits():
    quantiles = Exponential(1).quantile(FAR)
    np.testing.assert_allclose(quantiles, FAR, rtol=1e-15)


@every_law
def test_quantiles_of_what_is_no_probability_are_none(distribution):
    few = np.array([-0.1, 1.1, np.nan, -np.inf, np.inf])
    assert np.isnan(distribution.quantile(few)).all()
    assert np.isnan(distribution.quantile(np.tile(few, MANY))).all()


@every_law
def test_quantiles_in_machine_code_are_those_in_numpy(distribution):
    u = np.concatenate([[0, 1, 0.5], MIDDLE, LOW, 1 - LOW, FAR, NEAR_HALF])
    assert u.size > MANY
    few = [distribution.quantile(u[begin : begin + 1000]) for begin in range(0, u.size, 1000)]
    assert np.array_equal(distribution.quantile(u), np.concatenate(few))


@every_law
@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 1000])
@pytest.mark.parametrize("seed", [0, 2**70])
def test_draws_in_machine_code_are_quantiles_of_the_uniform_draws(distribution, count, seed):
    samples = np.arange(count, dtype=np.int64)[::-1] * 10**12
    plainly, drawn = np.empty((2, count))
    Draws(
        {"k": (plain, ()), "m": law(distribution)}, [plainly, drawn], samples, seed
    )(slice(0, count))  # fmt: skip
    assert (plainly == randomness.uniforms(seed, "k", samples)).all()
    assert (drawn == distribution.quantile(randomness.uniforms(seed, "m", samples))).all()


class Mine(Distribution):
    """A distribution that there is no machine code for."""

    mean, support = 0.25, (0.0, 1.0)

    def quantile(self, u):
        return u**3


def test_a_draw_among_many_is_what_it_is_alone():
    values = {type(d).__name__: d for d in [*LAWS, Beta(2, 3), Mine()]}
    many = draw(values, np.arange(40_001), seed=3)
    for sample in (0, 1, 12_345, 40_000):
        alone = draw(values, np.array([sample]), seed=3)
        assert {k: v[0] for k, v in alone.items()} == {k: v[sample] for k, v in many.items()}
