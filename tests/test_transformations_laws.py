"""Transformations between models: the laws that they obey, on random linear models and maps."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import permutations, product

import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from physcm.abstraction import Abstraction, Undefined
from physcm.abstraction.tau import Tau
from physcm.abstraction.transformation.errors import crosswise, distance, matched
from physcm.abstraction.transformation.from_tau import image_by_tau
from physcm.abstraction.transformation.laws import SampledLaw, difference, wasserstein
from physcm.abstraction.transformation.linear import GaussianLaw, LinearEquations, rational
from physcm.abstraction.transformation.omega_search import OmegaSearch
from physcm.mechanism import Hold, InvalidValue, Normal, Uniform, Unsupported
from physcm.mechanism.interventions import Interventions
from physcm.scm import SCM, LinearSCM
from physcm.scm.matrices import labelled

Floats = NDArray[np.float64]
generators = st.integers(0, 2**32 - 1).map(np.random.default_rng)


def names(letter: str, count: int) -> list[str]:
    return [f"{letter}{i}" for i in range(count)]


def linear(
    w: Floats, letter: str, sd: Floats | None = None, mean: Floats | None = None
) -> LinearSCM:
    """X = W X + E, with a noise of its own for each variable, or loadings and all."""
    own = names(letter, len(w))
    mean = np.zeros(len(w)) if mean is None else mean
    sd = np.ones(len(w)) if sd is None else sd
    noise = {x: Normal(m, s) for x, m, s in zip(own, mean, sd, strict=True)}
    return LinearSCM(labelled(w, own, own), noise)


def regular(rng: np.random.Generator, n: int) -> Floats:
    """Coefficients in tenths, small enough that every intervened model has a solution."""
    w = rng.integers(-4, 5, size=(n, n)) / (10 * n)
    return np.asarray(np.round(np.where(np.eye(n, dtype=bool), 0, w), 3), dtype=float)


def moments(w: Floats, held: dict[int, float], sd: Floats, mean: Floats) -> tuple[Floats, Floats]:
    """Mean and covariance of X = W X + E under holds, by linear algebra of our own."""
    n = len(w)
    own, c, noise = w.copy(), mean.copy(), np.diag(sd**2)
    for i, x in held.items():
        own[i], c[i], noise[i] = 0, x, 0
    inverse = np.linalg.inv(np.eye(n) - own)
    return inverse @ c, inverse @ noise @ inverse.T


# Exact laws.


@given(generators, st.integers(1, 5))
@settings(max_examples=20)
def test_exact_laws_are_those_of_linear_algebra(rng: np.random.Generator, n: int) -> None:
    w, sd, mean = regular(rng, n), rng.integers(1, 9, n) / 4, rng.integers(-9, 9, n) / 10
    held = {int(i): 1.5 for i in np.flatnonzero(rng.random(n) < 0.3)}
    model = linear(w, "x", sd, mean).do(*(Hold(f"x{i}", x) for i, x in held.items()))
    found = LinearEquations.of(model).law(names("x", n)).floats
    expected = moments(w, held, sd, mean)
    np.testing.assert_allclose(found[0], expected[0], atol=1e-12)
    np.testing.assert_allclose(found[1], expected[1], atol=1e-12)


def law(mean: Floats, covariance: Floats) -> GaussianLaw:
    own = tuple(names("y", len(mean)))
    return GaussianLaw(
        own, rational(mean[:, None].tolist(), 1), rational(covariance.tolist(), len(mean))
    )


@given(generators, st.integers(1, 4))
@settings(max_examples=20)
def test_the_distance_of_normal_laws_is_gelbrich_s(rng: np.random.Generator, n: int) -> None:
    roots = rng.normal(size=(2, n, n)).round(2)
    s, t = (r @ r.T for r in roots)
    m, k = rng.normal(size=(2, n)).round(2)
    root = scipy.linalg.sqrtm(s)
    cross = np.trace(np.real(scipy.linalg.sqrtm(root @ t @ root)))
    expected = math.sqrt(max(0.0, float(((m - k) ** 2).sum() + np.trace(s + t) - 2 * cross)))
    assert wasserstein(law(m, s), law(k, t)) == pytest.approx(expected, abs=1e-6)
    assert wasserstein(law(m, s), law(m, s)) == 0


@given(generators, st.integers(1, 3))
@settings(max_examples=20)
def test_matching_is_the_best_of_all_permutations(rng: np.random.Generator, n: int) -> None:
    x, y = rng.normal(size=(2, n, 5))
    best = min(((x - y[:, list(p)]) ** 2).sum(axis=0).mean() for p in permutations(range(5)))
    assert matched(x, y) == pytest.approx(best)


# The criterion for linear models against exactness under every hold of blocks.


def blocks_of_two(count: int) -> Floats:
    return np.asarray(np.kron(np.eye(count), np.ones(2)), dtype=float)


def blown_up(rng: np.random.Generator, blocks: int) -> tuple[Floats, Floats, Floats]:
    """W, T and M with T W = M T, so that tau = T is exact: W = T+ M T + N, T N = 0."""
    m = regular(rng, blocks)
    t = blocks_of_two(blocks)
    free = (np.eye(2 * blocks) - t.T @ t / 2) @ rng.integers(-2, 3, size=(2 * blocks,) * 2) / 20
    return t.T @ m @ t / 2 + free, t, m


def linear_square(w: Floats, t: Floats, m: Floats, sd: Floats, mean: Floats) -> Abstraction:
    """Low and high model with the noise above that T gives."""
    high = linear(m, "y", np.sqrt(t**2 @ sd**2), t @ mean)
    tau = {
        f"y{k}": " + ".join(f"({a})*x{j}" for j, a in enumerate(row) if a)
        for k, row in enumerate(t)
    }
    return Abstraction(linear(w, "x", sd, mean), high, tau, "from tau")


def exact_under_all_block_holds(w: Floats, t: Floats, m: Floats, sd: Floats, mean: Floats) -> bool:
    """Go through all sets of blocks, held at random, and compare moments."""
    rng = np.random.default_rng(7)
    noise = np.sqrt(t**2 @ sd**2)
    for chosen in product((False, True), repeat=len(t)):
        held = {
            int(j): float(rng.normal())
            for k in np.flatnonzero(chosen) for j in np.flatnonzero(t[k])
        }  # fmt: skip
        point = np.array([held.get(j, 0.0) for j in range(len(w))])
        below = moments(w, held, sd, mean)
        above = moments(
            m, {int(k): float(t[k] @ point) for k in np.flatnonzero(chosen)}, noise, t @ mean
        )
        same = np.allclose(t @ below[0], above[0], atol=1e-9)
        if not (same and np.allclose(t @ below[1] @ t.T, above[1], atol=1e-9)):
            return False
    return True


@given(generators, st.integers(1, 3), st.booleans())
@settings(max_examples=30)
def test_the_linear_criterion_says_what_all_block_holds_say(
    rng: np.random.Generator, blocks: int, spoilt: bool
) -> None:
    w, t, m = blown_up(rng, blocks)
    if spoilt:
        i, j = rng.integers(2 * blocks, size=2)
        w[i, j] += 0.125
    sd, mean = np.full(2 * blocks, 1.5), rng.integers(-3, 4, 2 * blocks) / 2
    found = linear_square(w, t, m, sd, mean).linear_criterion()
    assert bool(found) == exact_under_all_block_holds(w, t, m, sd, mean), str(found)
    s = found.noise_map.transpose("effect", "cause").values
    left = t @ np.linalg.inv(np.eye(len(w)) - w)
    np.testing.assert_allclose(left, np.linalg.inv(np.eye(blocks) - m) @ s, atol=1e-9)


def test_noise_that_does_not_fit_is_said() -> None:
    low = linear(np.zeros((2, 2)), "x")
    square = Abstraction(low, linear(np.zeros((1, 1)), "y"), {"y0": "x0 + x1"})
    assert "the noise does not fit: the standard deviation of `y0` 1.41421 against 1" in str(
        square.linear_criterion()
    )


# omega from tau against the definition.


@given(generators, st.integers(1, 3), st.integers(1, 4), st.data())
@settings(max_examples=60)
def test_images_by_ranks_are_onto_what_agrees(
    rng: np.random.Generator, above: int, below: int, data: st.DataObject
) -> None:
    t = rng.integers(-1, 2, size=(above, below)).astype(float)
    own = names("x", below)
    texts = {
        f"y{k}": "0" + "".join(f" + ({a})*{x}" for a, x in zip(row, own, strict=True))
        for k, row in enumerate(t)
    }
    held = data.draw(st.dictionaries(st.sampled_from(range(below)), st.integers(-3, 3)))
    tau = Tau.given(texts, own, list(texts))
    image = image_by_tau(tuple(Hold(own[j], x) for j, x in held.items()), tau, own, {}, {})
    free = [j for j in range(below) if j not in held]
    fixed = [k for k in range(above) if t[k].any() and not t[k][free].any()]
    point = np.array([held.get(j, 0) for j in range(below)], dtype=float)
    # A generic state that agrees above; does any low state that agrees below lead to it?
    null = scipy.linalg.null_space(t[fixed]) if fixed else np.eye(below)
    state = t @ point + t @ null @ rng.normal(size=null.shape[1])
    gap = state - t @ point
    solved = t[:, free] @ np.linalg.pinv(t[:, free]) @ gap if free else np.zeros(above)
    if np.allclose(solved, gap, atol=1e-9):
        assert image == tuple(Hold(f"y{k}", float(t[k] @ point)) for k in fixed)
    else:
        assert isinstance(image, Undefined)
        assert "tied to each other" in image.reason


@given(generators, st.data())
@settings(max_examples=60)
def test_images_over_finite_ranges_are_those_of_the_definition(
    rng: np.random.Generator, data: st.DataObject
) -> None:
    ranges = {f"x{j}": tuple(range(data.draw(st.integers(1, 3)))) for j in range(3)}
    table = rng.integers(0, 2, size=(2, 3, 3, 3))

    def function(values: dict[str, Floats]) -> dict[str, Floats]:
        at = tuple(values[x].astype(int) for x in ranges)
        return {f"y{k}": table[k][at].astype(float) for k in range(2)}

    held = {x: data.draw(st.sampled_from(v)) for x, v in ranges.items() if data.draw(st.booleans())}
    tau = Tau.given(function, list(ranges), ["y0", "y1"])  # type: ignore[arg-type]
    image = image_by_tau(tuple(Hold(x, v) for x, v in held.items()), tau, list(ranges), {}, ranges)
    states = [dict(zip(ranges, point, strict=True)) for point in product(*ranges.values())]
    up = [(tuple(int(table[k][tuple(s.values())]) for k in range(2)), s) for s in states]
    reached = {y for y, s in up if all(s[x] == v for x, v in held.items())}
    everything = {y for y, _ in up}
    wanted: list[dict[int, int]] = [
        dict(zip(ks, y, strict=True))
        for ks in ((), (0,), (1,), (0, 1))
        for y in product((0, 1), repeat=len(ks))
        if {z for z in everything if all(z[k] == v for k, v in zip(ks, y, strict=True))} == reached
    ]
    if isinstance(image, Undefined):
        assert wanted == []
    else:
        found = {int(one.name[1]): int(one.value) for one in image if isinstance(one, Hold)}
        assert found in wanted


# Orders and searches against trying all.


def lattice(rng: np.random.Generator, size: int) -> list[Interventions]:
    holds = [Hold("x0", 1), Hold("x1", 1), Hold("x2", 0)]
    subsets = [
        tuple(h for h, k in zip(holds, bits, strict=True) if k)
        for bits in product((0, 1), repeat=3)
    ]
    return [(), *(subsets[i] for i in rng.permutation(np.arange(1, 8))[: size - 1])]


@given(generators, st.integers(2, 5))
@settings(max_examples=40)
def test_order_and_reach_are_those_of_the_definition(rng: np.random.Generator, size: int) -> None:
    below, above = lattice(rng, size), lattice(rng, size)
    images = [above[i] for i in rng.integers(size, size=size)]
    square = Abstraction(
        SCM(dict.fromkeys(names("x", 3), "0")), SCM(dict.fromkeys(names("x", 3), "0")),
        omega=list(zip(below, images, strict=True)),
    )  # fmt: skip
    found = square.check_omega(below, above)
    broken = {
        (a, b) for (a, i), (b, j) in product(zip(below, images, strict=True), repeat=2)
        if {*a} <= {*b} and not {*i} <= {*j}
    }  # fmt: skip
    assert {*found.broken} == broken
    assert {*found.unreached} == {*above} - {*images}
    assert bool(found) == (not broken and {*images} == {*above})


@given(generators)
@settings(max_examples=10)
def test_a_search_finds_an_omega_iff_trying_all_does(rng: np.random.Generator) -> None:
    """Means are all that differ, and several interventions above may have one."""
    low = SCM({"x0": "0", "x1": "0", "x2": "2", "y": "x0 + x1 + x2"})
    weights = rng.integers(0, 2, size=3)
    terms = " + ".join(f"{w}*x{i}" for i, w in enumerate(weights))
    high = SCM({"x0": "0", "x1": "0", "x2": "2", "y": f"{terms} + {2 - 2 * weights[2]}"})
    below, above = lattice(rng, 4), lattice(rng, 5)
    found = Abstraction(low, high, {"y": "y"}).find_omega(below, above)

    def value(model: SCM, do: Interventions) -> float:
        return float(model.do(*do).sample(1).y[0])

    tries = product(*([b for b in above if value(high, b) == value(low, a)] for a in below))
    good = [
        images for images in tries
        if all(not {*a} <= {*b} or {*i} <= {*j}
               for (a, i), (b, j) in product(zip(below, images, strict=True), repeat=2))
    ]  # fmt: skip
    assert bool(found) == bool(good)
    if good:
        assert isinstance(found, OmegaSearch)
        assert tuple(to for _, to in found.omega) in good
        assert found.check.is_surjective or not any({*images} == {*above} for images in good)


# Composition.


@given(generators, st.booleans())
@settings(max_examples=15)
def test_exact_abstractions_compose_to_an_exact_one(rng: np.random.Generator, spoilt: bool) -> None:
    t, top = (blocks_of_two(k) for k in (4, 2))
    m2 = regular(rng, 2)
    # The middle model has to be one that the second tau is exact for.
    free = (np.eye(4) - top.T @ top / 2) @ rng.integers(-2, 3, size=(4, 4)) / 20
    m = top.T @ m2 @ top / 2 + free
    w = t.T @ m @ t / 2 + (np.eye(8) - t.T @ t / 2) @ rng.integers(-2, 3, size=(8, 8)) / 20
    w[0, 5] += 0.25 if spoilt else 0
    first = linear_square(w, t, m, np.full(8, 1.5), np.zeros(8))
    middle = first.high
    assert isinstance(middle, LinearSCM)
    high = linear(m2, "z", np.full(2, 3.0))
    second = Abstraction(middle, high, {"z0": "y0 + y1", "z1": "y2 + y3"}, "from tau")
    both = first.then(second)
    do = [Hold(f"x{j}", float(x)) for j, x in enumerate(rng.integers(-3, 3, 4))]
    direct = Abstraction(first.low, high, both.tau, "from tau")
    assert both.image(do) == direct.image(do) == (Hold("z0", float(sum(h.value for h in do))),)
    if not spoilt:
        assert both.is_exact([do], perturb=False), str(both.is_exact([do], perturb=False))
        assert both.linear_criterion()
    bound = first.error_bound(second, [[], do])
    assert bound.lipschitz == pytest.approx(math.sqrt(2))
    for row in bound.rows:
        assert row.error.value <= row.bound + 1e-6
        assert row.bound == pytest.approx(math.sqrt(2) * row.first.value + row.second.value)


def test_the_bound_of_a_composition_can_be_met() -> None:
    """Both maps are off by a shift in the direction in which the second stretches most."""
    low, middle = SCM({"x": "e"}, {"e": Normal(0, 1)}), SCM({"y": "e"}, {"e": Normal(1, 1)})
    high = SCM({"z": "3*e"}, {"e": Normal(5, 1)})
    first, second = Abstraction(low, middle, {"y": "x"}), Abstraction(middle, high, {"z": "3*y"})
    (row,) = first.error_bound(second, [[]]).rows
    assert (row.first.value, row.second.value, row.bound, row.error.value) == (1, 12, 15, 15)


def test_functions_compose_and_what_is_undefined_stays_so() -> None:
    low, middle = SCM({"x": "2"}), SCM({"y": "4"})
    high = SCM({"z": "5"})

    def plus_one(do: Interventions) -> list[Hold]:
        return [Hold("z", one.value + 1) for one in do if isinstance(one, Hold)]

    first = Abstraction(low, middle, lambda v: {"y": v["x"] ** 2}, [(Hold("x", 1), Hold("y", 1))])
    second = Abstraction(middle, high, {"z": "y + 1"}, plus_one)
    both = first.then(second)
    assert both.image(Hold("x", 1)) == (Hold("z", 2),)
    assert isinstance(both.image(Hold("x", 3)), Undefined)
    assert both.is_exact([Hold("x", 1)], perturb=False)
    nonlinear = Abstraction(middle, high, {"z": "y**2"})
    with pytest.raises(Unsupported, match="Lipschitz constant is not known; give a number"):
        first.error_bound(nonlinear, [Hold("x", 1)])
    with pytest.raises(InvalidValue, match="begins at `SCM`, which is not the causal model"):
        second.then(first)


# Errors by samples.

UNIFORMS = {"e": Uniform(0, 1), "f": Uniform(0, 1)}


@pytest.mark.parametrize(
    ("mechanism", "expected"),
    [
        ("0.3 + 1.2*f", math.sqrt(0.3**2 + 0.3 * 0.2 + 0.2**2 / 3)),  # quantiles 0.3 + 0.2 u apart
        ("0.3 + e", 0.3),
        ("e", 0.0),
        ("f", 0.0),
    ],
)
def test_errors_by_samples_have_intervals_that_hold_the_distance(
    mechanism: str, expected: float
) -> None:
    low, high = SCM({"x": "e"}, UNIFORMS), SCM({"x": mechanism}, UNIFORMS)
    square = Abstraction(low, high)
    inside = 0
    for seed in range(20):
        (one,) = square.errors([[]], seed=seed).errors
        inside += one.interval[0] - 1e-9 <= expected <= one.interval[1] + 1e-9
        assert abs(one.value - expected) < 0.12
    assert inside >= 17


@pytest.mark.parametrize(("p", "q"), [(0.05, 0.08), (0.5, 0.53), (0.3, 0.4), (0.0, 0.5)])
def test_intervals_of_discrete_errors_hold_the_distance_as_often_as_they_say(
    p: float, q: float
) -> None:
    """W^2 of two Bernoulli laws is |p - q|, which a matching of samples is off from by chance."""
    inside = 0
    for seed in range(150):
        rng = np.random.default_rng(seed)
        x, y = ((rng.random((1, 1000)) < chance).astype(float) for chance in (p, q))
        low, high = distance(constant_law(x), constant_law(y)).interval(0.95)
        inside += low <= math.sqrt(abs(p - q)) <= high
    assert inside >= 0.9 * 150  # three standard deviations of the share below 0.95


def constant_law(values: Floats) -> SampledLaw:
    return SampledLaw(tuple(names("y", len(values))), lambda _: values, 0, 1e-9)


@pytest.mark.parametrize("n", [1, 2, 4])
def test_crosswise_matching_finds_a_shift_and_takes_off_the_excess(n: int) -> None:
    rng = np.random.default_rng(n)
    pairs = rng.normal(size=(40, 2, n, 100))
    shifted = [crosswise(x, y + 1) for x, y in pairs]
    equal, plain = ([f(x, y) for x, y in pairs] for f in (crosswise, matched))
    assert abs(np.mean(shifted) - n) < 4 * np.std(shifted) / math.sqrt(40)
    assert abs(np.mean(equal)) < 4 * np.std(equal) / math.sqrt(40)
    assert np.mean(plain) > 4 * np.std(plain) / math.sqrt(40)


def test_average_and_largest_error_over_a_weighted_family() -> None:
    """The high model leaves out a term: the error is |x| where x is held."""
    low = SCM({"x": "0", "y": "x + e"}, {"e": Normal(0, 1)})
    square = Abstraction(low, SCM({"x": "0", "y": "e"}, {"e": Normal(0, 1)}))
    found = square.errors([Hold("x", x) for x in (1, -2, 4)], weights=[2, 1, 1])
    assert [one.value for one in found.errors] == [1, 2, 4]
    assert (found.average.value, found.average.interval) == (2, (2, 2))
    assert (found.largest.value, found.beyond) == (4, 0)
    assert found.relative[0] == pytest.approx(1 / math.sqrt(1 + 1 + 1))
    assert "in closed form" in str(found)


def test_average_error_over_a_distribution_of_interventions() -> None:
    low = SCM({"x": "0", "y": "x + e"}, {"e": Normal(0, 1)})
    square = Abstraction(low, SCM({"x": "0", "y": "e"}, {"e": Normal(0, 1)}))

    def drawn(rng: np.random.Generator) -> Interventions:
        return (Hold("x", float(rng.uniform(0, 1))),)

    found = [square.errors(drawn, draws=60, seed=seed) for seed in range(10)]
    assert sum(a <= 0.5 <= b for a, b in (one.average.interval for one in found)) >= 9
    assert found[0].beyond == pytest.approx(1 - 0.05 ** (1 / 60))
    assert sum(one.largest.value < 1 - one.beyond for one in found) <= 2


def test_a_side_without_values_is_infinitely_far() -> None:
    low, high = SCM({"x": "e"}, UNIFORMS), SCM({"x": "sqrt(e - 1/2)"}, UNIFORMS)
    found = Abstraction(low, high).errors([[]])
    assert found.errors[0].value == math.inf
    assert "nothing -> nothing: infinite, as some samples have a value on one side" in str(found)
    assert Abstraction(high, low).errors([[]]).relative == (math.inf,)


def test_of_many_interventions_those_with_the_largest_errors_are_shown() -> None:
    low = SCM({"x": "0", "y": "x + e"}, {"e": Normal(0, 1)})
    square = Abstraction(low, SCM({"x": "0", "y": "e"}, {"e": Normal(0, 1)}))
    lines = str(square.errors([Hold("x", x) for x in range(40)])).splitlines()
    assert lines[1].startswith("do(x = 39) -> do(x = 39): 39")
    assert lines[-2] == "and 28 of which the error is no larger"
    assert len(lines) == 15


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"weights": [1, 2]}, r"weights are `\[1, 2\]`; give 1 numbers"),
        ({"confidence": 2}, "confidence is `2`; give a number between 0 and 1"),
        ({"n": 10}, "n is `10`; give at least 40"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, object], match: str) -> None:
    low = SCM({"x": "e"}, UNIFORMS)
    with pytest.raises(InvalidValue, match=match):
        Abstraction(low, low).errors([[]], **options)  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match=r"family of interventions is `\[\]`"):
        Abstraction(low, low).errors([])
    with pytest.raises(InvalidValue, match="is undefined: omega lists nothing"):
        Abstraction(low, low, omega={}).errors([Hold("x", 1)])


# Laws told apart, by samples.


def sampled(draw: Callable[[np.random.Generator], Floats], seed: int) -> SampledLaw:
    return SampledLaw(("a", "b"), lambda s: draw(np.random.default_rng(s)), seed, 1e-9)


def test_laws_that_differ_in_their_correlation_alone_are_told_apart() -> None:
    def plain(rng: np.random.Generator) -> Floats:
        return rng.normal(size=(2, 200))

    def tied(rng: np.random.Generator) -> Floats:
        return np.linalg.cholesky([[1, 0.8], [0.8, 1]]) @ rng.normal(size=(2, 200))

    found = difference(sampled(plain, 0), sampled(tied, 1))
    assert found is not None
    assert (found.name, found.what) == ("a, b", "covariance")
    assert all(difference(sampled(plain, k), sampled(plain, k + 100)) is None for k in range(5))


# What tau drops, by linear algebra.


@given(generators, st.integers(2, 3))
@settings(max_examples=15)
def test_effects_of_moving_within_a_block_are_those_of_linear_algebra(
    rng: np.random.Generator, blocks: int
) -> None:
    n = 2 * blocks
    w, t = regular(rng, n), blocks_of_two(blocks)
    found = linear_square(w, t, np.zeros((blocks, blocks)), np.ones(n), np.zeros(n)).dropped(n=20)
    assert found.tested == tuple(names("x", n))
    moved = {one.variable for one in found.relevant}
    for j in range(n):
        block = [j, j ^ 1]
        rest = [i for i in range(n) if i not in block]
        own = np.linalg.inv(np.eye(n - 2) - w[np.ix_(rest, rest)])
        effect = t[:, rest] @ own @ (w[rest, j] - w[rest, j ^ 1])
        assert (f"x{j}" in moved) == (np.abs(effect) > 1e-9).any()
    for one in found.relevant:
        j, k = int(one.variable[1:]), int(one.output[1:])
        steps = [next(h.value for h in do if isinstance(h, Hold) and h.name == one.variable)
                 for do in (one.first, one.second)]  # fmt: skip
        block = [j, j ^ 1]
        rest = [i for i in range(n) if i not in block]
        own = np.linalg.inv(np.eye(n - 2) - w[np.ix_(rest, rest)])
        effect = t[:, rest] @ own @ (w[rest, j] - w[rest, j ^ 1]) * (steps[1] - steps[0])
        assert one.shift == pytest.approx(effect[k], abs=1e-8)
        assert abs(effect[k]) / max(np.abs(effect)) > 0  # a variable that does move
