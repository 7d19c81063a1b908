"""Counterfactuals of units whose evidence leaves importance sampling few effective draws."""

import numpy as np
import pytest
import scipy

from physcm.mechanism import Bernoulli, Normal
from physcm.scm import SCM

TEN = {f"e{i}": Normal(0, 1) for i in range(10)}
SUM = SCM({"s": " + ".join(TEN) + " + r", "q": "e0"}, {**TEN, "r": Normal(0, 0.01)})


def expected(data, name):
    return (data.evidence_weight * data[name]).sum("draw").values


@pytest.mark.parametrize("seed", range(3))
def test_far_evidence_on_a_sum_of_ten_noises_is_met_by_their_normal_law(seed):
    """Given a sum s of ten, each has the mean s/10 and the variance 9/10."""
    data = SUM.counterfactual({"s": 20}, n=2000, seed=seed)
    assert data.effective_sample_size.item() > 1000
    assert expected(data, "q").item() == pytest.approx(2, abs=4 * 0.95 / 2000**0.5)
    squares = (data.evidence_weight * (data.q - 2) ** 2).sum().item()
    assert squares == pytest.approx(0.9, abs=4 * 0.9 * (2 / 2000) ** 0.5)
    assert data.s.values == pytest.approx(20)


def test_many_sensors_of_a_curved_law_agree_with_quadrature():
    sensors = {f"y{i}": f"tanh(z) + z*w + 0.05*e{i}" for i in range(10)}
    model = SCM({**sensors, "q": "z"}, {"z": Normal(0, 1), "w": Normal(0, 1), **TEN})
    seen = {name: 1.5 + 0.01 * i for i, name in enumerate(sensors)}
    data = model.counterfactual(seen, n=2000)
    z, w = np.meshgrid(*[np.linspace(-5, 5, 2001)] * 2, indexing="ij")
    gaps = sum((y - np.tanh(z) - z * w) ** 2 for y in seen.values())
    density = np.exp(-(z**2 + w**2) / 2 - gaps / (2 * 0.05**2))
    mean = (density * z).sum() / density.sum()
    sd = np.sqrt((density * (z - mean) ** 2).sum() / density.sum())
    size = data.effective_sample_size.item()
    assert size > 200
    assert expected(data, "q").item() == pytest.approx(mean, abs=6 * sd / size**0.5)


def test_all_solutions_of_an_equation_take_part():
    """y = r^2 + 5 z + b: two values of r for each z and b."""
    noise = {"r": Normal(0.5, 1), "z": Normal(0, 1), "b": Bernoulli(0.3)}
    model = SCM({"y": "r**2 + 5*z + b", "q": "z", "right": "where(r > 0, 1, 0)"}, noise)
    data = model.counterfactual({"y": 30}, n=4000)
    law = scipy.stats.norm

    def integral(f):
        # z = (30 - b - r^2)/5 for either sign of r; |dz/dr| = 2 |r|/5 is in the density of r.
        return sum(
            p * scipy.integrate.quad(
                lambda r, b=b: f(r, b) * law.pdf(r, 0.5) * law.pdf((30 - b - r**2) / 5), -8, 8,
            )[0]
            for b, p in ((0, 0.7), (1, 0.3))
        )  # fmt: skip

    total = integral(lambda r, b: 1)
    z = integral(lambda r, b: (30 - b - r**2) / 5) / total
    right = integral(lambda r, b: float(r > 0)) / total
    size = data.effective_sample_size.item()
    assert size > 400
    assert expected(data, "q").item() == pytest.approx(z, abs=0.15)
    assert expected(data, "right").item() == pytest.approx(right, abs=6 * 0.5 / size**0.5)
    b = integral(lambda r, b: b) / total
    assert expected(data, "b").item() == pytest.approx(b, abs=6 * 0.5 / size**0.5)


def test_draws_of_a_unit_do_not_depend_on_units_beside_it():
    both = SUM.counterfactual({"s": [20, 25]}, n=200)
    alone = SUM.counterfactual({"s": [20]}, n=200)
    assert both.q.values[0].tolist() == alone.q.values[0].tolist()


def test_units_that_need_it_stand_beside_units_that_do_not():
    data = SUM.counterfactual({"s": [0, 20, 1]}, n=1000)
    assert (data.effective_sample_size > 100).all()
    assert expected(data, "q") == pytest.approx([0, 2, 0.1], abs=0.3)


def test_an_intervention_keeps_the_noise_that_was_found():
    data = SUM.counterfactual({"s": 20}, q="10*e0", n=500)
    assert data.q.values == pytest.approx(10 * data.e0.values)


def test_a_unit_whose_draws_cannot_be_believed_is_warned_of():
    noise = {**TEN, "r": Normal(0, 0.01)}
    flat = SCM({"s": " + ".join(f"tanh({e})" for e in TEN) + " + r"}, noise)
    with pytest.warns(UserWarning, match=r"1 of 2 units leaves few effective draws, at the least"):
        data = flat.counterfactual({"s": [0, 5]}, n=1000)
    assert data.effective_sample_size.values[1] < 50
