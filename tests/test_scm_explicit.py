"""Explicit mechanisms over many samples: piece by piece, and as if each sample were alone."""

import numpy as np

from physcm.mechanism import Exponential, LogNormal, Normal, Uniform
from physcm.scm import SCM, SolutionStatus

MANY = 70_001
"""More than a piece, enough for machine code, and no multiple of anything."""

CHAIN = SCM(
    {"x": "a", "y": "log(x) + b*c", "z": "exp(-y**2) + x*y", "w": "max(z, d)/2"},
    {"a": Normal(1, 1), "b": Uniform(0, 1), "c": LogNormal(0, 1), "d": Exponential(2)},
)


def test_a_sample_among_many_is_what_it_is_among_few():
    few, many = CHAIN.sample(100, seed=3), CHAIN.sample(MANY, seed=3)
    for name in (*CHAIN.variables, *CHAIN.exogenous, "status"):
        assert np.array_equal(few[name].values, many[name].values[:100], equal_nan=True)


def test_every_value_follows_from_those_that_it_reads():
    data = CHAIN.sample(MANY)
    a, b, c, d = (data[name].values for name in "abcd")
    defined = a > 0
    assert ((data.status == SolutionStatus.UNIQUE) == defined).all()
    assert ((data.status == SolutionStatus.NONE) == ~defined).all()
    with np.errstate(invalid="ignore"):
        y = np.log(a) + b * c
    z = np.exp(-(y**2)) + a * y
    expected = {"x": np.where(defined, a, np.nan), "y": y, "z": z, "w": np.maximum(z, d) / 2}
    for name, values in expected.items():
        np.testing.assert_allclose(data[name].values, values, rtol=1e-14)


def test_a_value_outside_of_the_domain_is_none_among_many():
    model = SCM({"x": "e", "y": "x + 1"}, {"e": Normal(0, 1)}, domains={"x": (0, np.inf)})
    data = model.sample(MANY)
    assert ((data.status == SolutionStatus.UNIQUE) == (data.e >= 0)).all()
    assert np.isnan(data.y.values[data.e.values < 0]).all()


def test_mechanisms_after_an_undecided_loop_are_still_told():
    model = SCM(
        {"x": "x + exp(x) + 0*e", "y": "x + 1", "z": "sqrt(e)"}, {"e": [1.0, -1.0, 4.0]}
    )  # fmt: skip
    status = model.sample(3).status.values.tolist()
    assert status == [SolutionStatus.NOT_FOUND, SolutionStatus.NONE, SolutionStatus.NOT_FOUND]


def test_a_sample_of_mechanisms_in_machine_code_is_what_it_is_among_few():
    model = SCM(
        {
            "x": "0.3*a - b", "y": "x/3 + c*x", "z": "sqrt(y) + exp(x)", "w": "max(z, x, 0.1)",
            "v": "where(w > 1, w, 1/a)", "u": "v*v*v - 2*w",
        },
        {"a": Normal(0, 1), "b": Uniform(0, 1), "c": LogNormal(0, 1)},
        domains={"u": (-100, 100)},
    )  # fmt: skip
    few, many = model.sample(1000, seed=3), model.sample(MANY, seed=3)
    assert set(np.unique(many.status)) == {SolutionStatus.UNIQUE, SolutionStatus.NONE}
    for name in (*model.variables, *model.exogenous, "status"):
        assert np.array_equal(few[name].values, many[name].values[:1000], equal_nan=True)
    last = model.do(x=1).sample(MANY, seed=3).isel(sample=-1)
    assert last.z == np.sqrt(1 / 3 + last.c) + np.exp(1.0)
