"""The part of a tenant's applied templates that something refers to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.model.template import Template
from engine.store.templates import TemplateRepository
from engine.templates.library import Library, included, reference


async def library_of(
    templates: TemplateRepository,
    tenant: str,
    references: Iterable[str],
    own: Sequence[Template] = (),
) -> Library:
    """A library in which the references are found, and all that those templates include.

    Args:
        references: `name` or `name@version`; what does not exist is missing from the library.
        own: templates that are about to be applied. One that is new is the newest of its name.
    """
    wanted = dict.fromkeys(references)
    for template in own:
        wanted |= dict.fromkeys([template.name, reference(template), *included(template)])
    while True:
        found = await templates.find(tenant, wanted)
        more = {name for template in found for name in included(template)} - wanted.keys()
        if not more:
            break
        wanted |= dict.fromkeys(sorted(more))
    known = {reference(template) for template in found}
    others = await templates.references(tenant)
    return Library([*found, *(each for each in own if reference(each) not in known)], others)
