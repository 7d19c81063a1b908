"""The fast engine as an option of `simulate`."""

from __future__ import annotations

from dataclasses import dataclass

from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.lanes.pool import cores

AUTO = "auto"
DORMAND_PRINCE_5, DORMAND_PRINCE_8 = "dormand-prince-5", "dormand-prince-8"
TAYLOR, RODAS5P = "taylor", "rodas5p"
METHODS = (AUTO, DORMAND_PRINCE_5, DORMAND_PRINCE_8, TAYLOR, RODAS5P)


@dataclass(frozen=True)
class Numba:
    """Integrate ensembles in blocks of samples, by machine code made for the system.

    Attributes:
        method: "dormand-prince-5", "dormand-prince-8" or "taylor", or "auto" for the one of
            these that suits the system and the tolerance; samples that turn out to be stiff go
            on by "rodas5p". That takes all samples by the method for stiff systems.
        threads: how many samples' blocks run at once, as many as there are cores unless told.
            Results do not depend on it.

    >>> Numba("dormand-prince-5")
    Numba(method='dormand-prince-5', threads=None)
    """

    method: str = AUTO
    threads: int | None = None

    def __post_init__(self) -> None:
        """Check the method's name and the number of threads."""
        if self.method not in METHODS:
            raise InvalidValue(
                f"`{self.method}` is no method of the numba engine; use {', '.join(METHODS)}"
            )
        threads = self.threads
        whole = isinstance(threads, int) and not isinstance(threads, bool)
        if threads is not None and not (whole and threads >= 1):
            raise InvalidValue(f"threads is `{threads!r}`; give a whole number of at least 1")

    @property
    def workers(self) -> int:
        """The number of threads."""
        return self.threads or cores()
