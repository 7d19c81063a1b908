"""Transformations between models: exactness, errors, composition, and what tau must not drop."""
