"""The catalog of the zoo: the model files beside this module, by name.

A model is a TOML or an SBML file; a TOML file with a `[family]` table stands for a system of
any size (see `physcm.sim.zoo.family`), and its `[gallery]` table says how it is drawn
(`physcm.sim.zoo.scenes`). Random networks are made by functions of their sizes and a seed
(`physcm.sim.zoo.random_networks`).
"""

from __future__ import annotations

import difflib
from pathlib import Path
from xml.etree import ElementTree

from physcm.mechanism.errors import InvalidValue, UnknownVariable
from physcm.sim.system import System
from physcm.sim.toml import read_mapping
from physcm.sim.zoo.family import expand, sizes_of
from physcm.sim.zoo.random_networks import NETWORKS, SIZES
from physcm.sim.zoo.scenes import Scene

_FOLDER = Path(__file__).parent
_KINDS = (".toml", ".xml")
_GALLERY = "gallery"


def names() -> tuple[str, ...]:
    """Return the names of all models, in alphabetical order.

    >>> "basic_enzyme" in names()
    True
    """
    files = (file.stem for file in _FOLDER.iterdir() if file.suffix in _KINDS)
    return tuple(sorted((*files, *NETWORKS)))


def load(name: str, **sizes: int) -> System:
    """Return a model of the zoo.

    Args:
        name: one of `names()`.
        sizes: how many parts a model of variable size has, and the seed of a random one; each
            has a default.

    Raises:
        UnknownVariable: for a name that is not in the zoo.
        InvalidValue: for a size that the model does not have or that is no whole number
            from 1 on (a seed: from 0 on).

    >>> load("coupled_oscillators", masses=2).states
    ('Q1', 'Q2', 'P1', 'P2')
    """
    if name in NETWORKS:
        return System.from_dict(NETWORKS[name](**sizes_of(SIZES, sizes, name)), name)
    path = _path(name)
    if path.suffix == ".toml":
        template = {key: value for key, value in read_mapping(path).items() if key != _GALLERY}
        return System.from_dict(expand(template, sizes, name), str(path))
    if sizes:
        raise InvalidValue(f"`{name}` has no size `{next(iter(sizes))}`; load it without sizes")
    return _from_sbml(path)


def scene(name: str) -> Scene:
    """Return how a model, of its default size, shows what it does over time.

    >>> scene("hodgkin_huxley").do
    'I=10'
    """
    if name in NETWORKS or (path := _path(name)).suffix != ".toml":
        return Scene()
    return Scene.of(read_mapping(path).get(_GALLERY, {}))


def _from_sbml(path: Path) -> System:
    """Read an SBML file whose notes have two paragraphs: what it shows, and its source."""
    notes = ElementTree.parse(path).iter("{http://www.w3.org/1999/xhtml}p")
    description, source = ("".join(paragraph.itertext()) for paragraph in notes)
    return System.from_sbml(path).replace(description=description, source=source)


def _path(name: str) -> Path:
    if name not in names():
        near = difflib.get_close_matches(name, names(), n=1)
        question = f"did you mean `{near[0]}`? " if near else ""
        listed = ", ".join(f"`{known}`" for known in names())
        raise UnknownVariable(f"no model `{name}` in the zoo; {question}The zoo has {listed}")
    return next(file for kind in _KINDS if (file := _FOLDER / f"{name}{kind}").is_file())
