"""Tests of conditional independence, and of the independences that a graph claims."""

from physcm.scm.independence.holm import holm
from physcm.scm.independence.kernel import Kernel
from physcm.scm.independence.neighbors import Neighbors
from physcm.scm.independence.partial_correlation import PartialCorrelation
from physcm.scm.independence.report import SeparationReport
from physcm.scm.independence.separations import IndependenceTest, test_separations

__all__ = [
    "IndependenceTest",
    "Kernel",
    "Neighbors",
    "PartialCorrelation",
    "SeparationReport",
    "holm",
    "test_separations",
]
