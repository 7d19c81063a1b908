"""Linear maps and linear models with normal noise, in rational numbers.

    A X = N E + c,   E ~ Normal(mu, V),   V diagonal
    Y = T X + t  ~  Normal(T A^-1 (N mu + c) + t,  T A^-1 N V N' A^-T T')

Decimals are read as the fractions that they denote, so that two laws are equal or they are not.
A number that is no fraction of two integers is rounded to a decimal first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp
from sympy.polys.matrices import DomainMatrix
from sympy.polys.matrices.exceptions import DMNonInvertibleMatrixError

from physcm.mechanism.codegen import Floats
from physcm.mechanism.distributions import Constant, Distribution, Normal
from physcm.mechanism.errors import NotSolvable, Unsupported
from physcm.mechanism.expression import exact, symbol, to_text
from physcm.mechanism.values import Value
from physcm.scm import SCM, LinearSCM
from physcm.scm.constants import constants_in
from physcm.scm.linear import linear_form

ROUNDING = 1e-12
"""What decimals that stand for fractions may be off, relative to the size of what is compared."""


@dataclass(frozen=True, eq=False)
class LinearMap:
    """y = T x + t.

    Attributes:
        matrix: T.
        offset: t, one column.
    """

    matrix: DomainMatrix
    offset: DomainMatrix

    @classmethod
    def of(cls, expressions: Sequence[sp.Expr], names: Sequence[str]) -> LinearMap:
        """Read expressions in some names as a map of these.

        Raises:
            Unsupported: for an expression that is not linear.

        >>> x, y = symbol("x"), symbol("y")
        >>> LinearMap.of([x + 2 * (y - 1)], ["x", "y"]).floats.tolist()
        [[1.0, 2.0]]
        """
        unknowns = [symbol(name) for name in names]
        forms = []
        for expression in expressions:
            form = linear_form(sp.expand(expression), {*unknowns})
            if form is None or not all(e.is_number for e in (*form[0].values(), form[1])):
                raise Unsupported(
                    f"`{to_text(expression)}` is not linear in {', '.join(names)} with numbers as "
                    "coefficients; compare by samples"
                )
            forms.append(form)
        rows = [[slopes.get(name, sp.S.Zero) for name in unknowns] for slopes, _ in forms]
        return cls(rational(rows, len(unknowns)), rational([[c] for _, c in forms], 1))

    @property
    def floats(self) -> Floats:
        """T as floating point numbers."""
        return as_floats(self.matrix)


@dataclass(frozen=True, eq=False)
class GaussianLaw:
    """A normal law, exact.

    Attributes:
        names: the variables.
        mean: one column.
        covariance: square.
    """

    names: tuple[str, ...]
    mean: DomainMatrix
    covariance: DomainMatrix

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, GaussianLaw)
            and self.names == other.names
            and self.mean == other.mean
            and self.covariance == other.covariance
        )

    __hash__ = None  # type: ignore[assignment]

    @cached_property
    def floats(self) -> tuple[Floats, Floats]:
        """Mean, (variables,), and covariance, (variables, variables)."""
        return as_floats(self.mean)[:, 0], as_floats(self.covariance)


@dataclass(frozen=True, eq=False)
class LinearEquations:
    """A X = N E + c with normal noise E.

    Attributes:
        names: the variables X, labels of the equations as well.
        sources: the noise E.
        matrix: A, which is I - W where each equation says what its variable is.
        loadings: N.
        constants: c, one column.
        means: of E, one column.
        variances: of E, diagonal.
    """

    names: tuple[str, ...]
    sources: tuple[str, ...]
    matrix: DomainMatrix
    loadings: DomainMatrix
    constants: DomainMatrix
    means: DomainMatrix
    variances: DomainMatrix

    @classmethod
    def of(cls, model: Any) -> LinearEquations:
        """Read a causal model.

        Raises:
            Unsupported: for one that is not linear with normal noise, and says why.

        >>> pair = SCM({"x": "e/3", "y": "2*x + 1"}, {"e": Normal(0, 3)})
        >>> [part.tolist() for part in LinearEquations.of(pair).law(["x", "y"]).floats]
        [[0.0, 1.0], [[1.0, 2.0], [2.0, 4.0]]]
        """
        scm = model.to_scm() if isinstance(model, LinearSCM) else model
        if not isinstance(scm, SCM):
            raise Unsupported(f"a `{type(scm).__name__}` is compared by samples, not by algebra")
        if scm.domains:
            raise Unsupported("a model with domains may cut its normal law; compare by samples")
        values = {k: _plain(k, v) for k, v in {**scm.exogenous, **scm.parameters}.items()}
        noise = {name: value for name, value in values.items() if isinstance(value, Normal)}
        names, sources = tuple(scm.variables), tuple(noise)
        residuals = [constants_in(r, values) for r in scm.residuals.values()]
        whole = LinearMap.of(residuals, (*names, *sources))
        n, minus = len(names), sp.QQ(-1)
        squares = [exact(one.sd) ** 2 for one in noise.values()]
        return cls(
            names,
            sources,
            whole.matrix[:, :n],
            whole.matrix[:, n:] * minus,
            whole.offset * minus,
            rational([[exact(one.mean)] for one in noise.values()], 1),
            DomainMatrix.diag(list(map(_rational, squares)), sp.QQ, (len(noise),) * 2),
        )

    @cached_property
    def inverse(self) -> DomainMatrix:
        """A^-1.

        Raises:
            NotSolvable: if A is singular.
        """
        try:
            return self.matrix.inv()
        except DMNonInvertibleMatrixError:
            raise NotSolvable(
                f"the linear equations of {', '.join(self.names)} are singular: they have no "
                "solution or infinitely many; leave out the intervention that makes them so"
            ) from None

    def law(self, names: Sequence[str]) -> GaussianLaw:
        """Return the law of some variables."""
        return self.image(LinearMap.of([symbol(name) for name in names], self.names), (*names,))

    def image(self, tau: LinearMap, names: tuple[str, ...]) -> GaussianLaw:
        """Return the law of T X + t."""
        to = tau.matrix * self.inverse
        return self.noise_law(to * self.loadings, to * self.constants + tau.offset, names)

    def noise_law(
        self, to: DomainMatrix, constants: DomainMatrix, names: tuple[str, ...]
    ) -> GaussianLaw:
        """Return the law of a linear map of the noise E."""
        mean = to * self.means + constants
        return GaussianLaw(names, mean, to * self.variances * to.transpose())

    def ordered(self, names: Sequence[str]) -> LinearEquations:
        """Return the same equations in another order of the variables."""
        order, every = [self.names.index(name) for name in names], list(range(len(self.sources)))
        return replace(
            self,
            names=tuple(names),
            matrix=self.matrix.extract(order, order),
            loadings=self.loadings.extract(order, every),
            constants=self.constants.extract(order, [0]),
        )


def rational(rows: Sequence[Sequence[Any]], columns: int) -> DomainMatrix:
    """Return a matrix of rational numbers.

    >>> as_floats(rational([[sp.Rational(1, 4), sp.sqrt(4)]], 2)).tolist()
    [[0.25, 2.0]]
    """
    cells = [[_rational(cell) for cell in row] for row in rows]
    return DomainMatrix(cells, (len(cells), columns), sp.QQ).to_sparse()


def _rational(number: Any) -> Any:
    given = isinstance(number, sp.Rational)
    return sp.QQ.from_sympy(number if given else exact(float(number)))


def as_floats(matrix: DomainMatrix) -> Floats:
    """Return a matrix as floating point numbers."""
    return np.array(matrix.to_list(), dtype=float).reshape(matrix.shape)


def rank(matrix: DomainMatrix) -> int:
    """Return the rank, exactly."""
    return int(matrix.rank()) if 0 not in matrix.shape else 0


def _plain(name: str, value: Value) -> Value:
    if isinstance(value, Constant):
        return float(value.value)
    if isinstance(value, tuple):
        raise Unsupported(f"`{name}` has a value per sample; compare by samples")
    if isinstance(value, Distribution) and not isinstance(value, Normal):
        raise Unsupported(f"`{name}` is `{value}`, which is not normal; compare by samples")
    return value
