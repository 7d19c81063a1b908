"""Physical models in, structural causal models out, and a proof by simulation that they agree."""

__version__ = "0.1.0"
