"""How a model is drawn over time: a table `[gallery]` in its file.

    [gallery]
    until = 40
    do = "I=10"
    lines = {"sodium current" = "-I_Na", V = "V"}

Whatever is left out is chosen by looking at the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Scene:
    """What to draw of a model.

    Attributes:
        until: the last time; None if that is when the model has settled or repeated.
        do: the interventions, as after `--do` on the command line.
        lines: labels and expressions in the model's variables; none stands for its states.
    """

    until: float | None = None
    do: str = ""
    lines: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Scene:
        """Return the scene that a table describes.

        >>> Scene.of({"until": 40}).until
        40
        """
        return cls(**table)
