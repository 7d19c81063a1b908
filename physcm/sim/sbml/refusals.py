"""What an SBML file may contain that physcm does not simulate, refused by name.

A model is never simulated with a part of it left out: algebraic rules, fast reactions and
required packages all change what a trajectory is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from physcm.mechanism.errors import Unsupported

if TYPE_CHECKING:
    from physcm.sim.sbml.reader import Source

_UNDERSTOOD = frozenset({"l3v2extendedmath"})
"""Packages that only let an older file use mathematics which the reader knows anyway."""


def refuse_packages(source: Source) -> None:
    """Refuse packages that the file marks as needed to understand the model."""
    document = source.document
    if document.getLevel() < 3:
        return
    known = {
        plugin.getURI(): plugin.getPackageName()
        for plugin in map(document.getPlugin, range(document.getNumPlugins()))
    }
    count = document.getNumUnknownPackages()
    unknown = {uri: uri for uri in map(document.getUnknownPackageURI, range(count))}
    for uri, name in {**unknown, **known}.items():
        if name not in _UNDERSTOOD and document.getPackageRequired(uri):
            raise Unsupported(
                f"{source.path}: the model needs the SBML package `{name}`, which physcm does "
                "not read; export the model as SBML core (flattened, without packages)"
            )


def refuse_unsupported(source: Source) -> None:
    """Refuse algebraic rules and fast reactions.

    Raises:
        Unsupported: for the first such element, naming it and its line.
    """
    model = source.model
    for rule in model.getListOfRules():
        if rule.isAlgebraic():
            _refuse(source, rule, "algebraic rule", "solve it for a variable: an assignment rule")
    for reaction in model.getListOfReactions():
        if reaction.isSetFast() and reaction.getFast():
            remedy = 'set fast="false", with rate constants large enough to be fast'
            _refuse(source, reaction, "fast reaction", remedy)


def _refuse(source: Source, element: Any, kind: str, remedy: str) -> NoReturn:
    name = element.getIdAttribute() or element.getName() or element.getMetaId()
    what = f"{kind} `{name}`" if name else f"{kind} without id"
    raise Unsupported(f"{source.place(element, what)} is not supported; {remedy}")
