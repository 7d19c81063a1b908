"""What functions that ask for a system say of something else."""

from __future__ import annotations

from physcm.mechanism.errors import InvalidValue
from physcm.sim import Network, System


def require_system(given: object) -> System:
    """Return a system, or refuse what is none.

    Raises:
        InvalidValue: for what is no `System`.
    """
    if isinstance(given, Network):
        raise InvalidValue(
            f"`{given.name or 'network'}` is a Network, whose nodes share their equations; give "
            "`network.expanded()`, the System of all its nodes"
        )
    if not isinstance(given, System):
        raise InvalidValue(f"`{given!r}` is no System; make one, or load it from the zoo")
    return given
