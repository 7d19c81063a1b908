"""An observation that makes no sense is refused, with what was wrong and what to do."""

from typing import Any

import numpy as np
import pytest

from physcm.mechanism import InvalidValue, Normal, ParseError, Uniform, UnknownVariable, Unsupported
from physcm.scm import SCM
from physcm.sim import (
    AdditiveNoise,
    Censor,
    Hide,
    InterpolatedTimes,
    IrregularTimes,
    MissingBlocks,
    MissingByValue,
    MissingCompletelyAtRandom,
    MultiplicativeNoise,
    Quantize,
    Standardization,
    Standardize,
    Subsample,
    System,
    Unstandardize,
    observe,
    replay,
    simulate,
)

PAIR = System(
    {"x": "a - x", "y": "x - k*y"},
    parameters={"a": 1, "k": 0.5},
    initial={"x": Uniform(0, 9), "y": 0},
)
RUN = simulate(PAIR, np.linspace(0, 6, 13), n=5)
MODEL = SCM({"x": "e"}, exogenous={"e": Normal(0, 1)})
OWN, COMMON, BETWEEN = IrregularTimes(4), IrregularTimes(4, common=True), InterpolatedTimes(5)
LOST = MissingCompletelyAtRandom(0.3)


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: observe(RUN, seed=-1), InvalidValue, "the seed `-1` is not valid; give"),
        (lambda: observe(RUN.x), InvalidValue, "`DataArray` is no dataset; give"),
        (lambda: observe(RUN.isel(sample=0)), InvalidValue, "dimensions `time`, without `sample`"),
        (lambda: observe(RUN, "noise"), InvalidValue, "`'noise'` is no step of observe; use one"),
        (lambda: observe(RUN, variables=["v"]), UnknownVariable, "`v` is no variable of the data"),
        (lambda: observe(RUN, variables=["time"]), UnknownVariable, "`time` is no variable"),
        (lambda: observe(observe(RUN), variables=["x"]), InvalidValue, r"variables is `\['x'\]`"),
        (lambda: replay(RUN, "{"), InvalidValue, r"`\{` is no record of observe; give the attrib"),
        (lambda: replay(observe(RUN), observe(RUN).attrs["observation"]), InvalidValue, "observed"),
        (lambda: observe(RUN, Quantize(1, ["k"])), UnknownVariable, "`k` is no measured variable"),
        (lambda: observe(RUN, Quantize(1, "xx")), UnknownVariable, "did you mean `x`"),
        (lambda: observe(RUN, Hide("w")), UnknownVariable, "`w` cannot be hidden; known names"),
        (lambda: Hide(), InvalidValue, r"`\(\)` are no names; write Hide"),
        (lambda: Quantize(1, []), InvalidValue, r"variables is `\[\]`; give a list of names"),
        (lambda: Quantize(0), InvalidValue, "step is `0`; give a positive number"),
        (lambda: AdditiveNoise(-1), InvalidValue, "error is `-1`; give a standard deviation"),
        (lambda: MultiplicativeNoise("x"), InvalidValue, "factor is `x`; give a standard dev"),
        (lambda: MissingCompletelyAtRandom(2), InvalidValue, "fraction is `2`; give a number"),
        (lambda: MissingBlocks(0.1, 0), InvalidValue, "length is `0`; give a whole number"),
        (lambda: observe(MODEL.sample(2), MissingBlocks(0.1, 2)), InvalidValue, "needs `time`"),
        (lambda: Subsample(), InvalidValue, "every is `None` and times is `None`; give one"),
        (lambda: Subsample(every=0), InvalidValue, "every is `0`; give a whole number"),
        (lambda: Subsample(times=[1, 0]), InvalidValue, r"times is `\(1.0, 0.0\)`; give increas"),
        (lambda: observe(RUN, Subsample(times=[0.2])), InvalidValue, "`0.2` was not saved; the c"),
        (lambda: observe(RUN, IrregularTimes(3), Subsample(times=[0])), InvalidValue, "of its own"),
        (lambda: IrregularTimes(0), InvalidValue, "count is `0`; give a whole number"),
        (lambda: IrregularTimes(Normal(3, 1)), InvalidValue, "count is `Normal"),
        (lambda: observe(RUN, IrregularTimes(99)), InvalidValue, "`99`, but 13 times were saved"),
        (lambda: observe(RUN, OWN, COMMON), InvalidValue, "common is `True`, but"),
        (lambda: InterpolatedTimes(3, method="spline"), InvalidValue, "method is `spline`; use"),
        (lambda: observe(RUN, OWN, BETWEEN), InvalidValue, r"shape `\(5, 4\)`; it needs"),
        (lambda: observe(RUN, Censor(0), BETWEEN), Unsupported, "`x` is censored, and"),
        (lambda: Censor(), InvalidValue, "low is `None` and high is `None`; give one limit"),
        (lambda: Censor(2, 1), InvalidValue, "low is `2` and high is `1`; give one limit, or low"),
        (lambda: MissingByValue("x +"), ParseError, "MissingByValue: invalid syntax"),
        (lambda: MissingByValue("x > 1"), InvalidValue, r"`x > 1` is a condition; write where\("),
        (lambda: observe(RUN, MissingByValue("v")), UnknownVariable, "unknown name `v`"),
        (lambda: observe(RUN, MissingByValue("2*x")), InvalidValue, "`2[*]x` is `.*lies between"),
        (lambda: observe(RUN, LOST, MissingByValue("x/9")), InvalidValue, "before those that"),
        (lambda: observe(RUN, Unstandardize()), InvalidValue, "is not there; put the step after"),
        (lambda: Standardize({"x": 1}), InvalidValue, "by is `.*`; give Standardization.of"),
        (lambda: observe(RUN, Standardize(Standardization({}, {}))), UnknownVariable, "no mean of"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_with_a_remedy(make: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        make()
