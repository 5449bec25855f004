"""Which template a promotion follows, fixed when it begins."""

from __future__ import annotations

import asyncio

from engine.documents.library import library_of
from engine.model.base import Json
from engine.model.environment import Environment, EnvironmentDefinition
from engine.model.promotion import PromotionRequest
from engine.model.template import Template
from engine.store.store import Store
from engine.templates import parameters, validate
from engine.templates.include import written_out
from engine.templates.library import included


async def with_template(
    store: Store, definition: EnvironmentDefinition, request: PromotionRequest
) -> tuple[Environment, dict[str, Json]]:
    """The environment with the template to follow, includes written out; and its parameters.

    A template that the environment names without a version, or that one includes so, is the one
    that is the newest now. It is validated again: it may be newer than the environment, whose
    groups its steps name, and a plugin's node type may be gone.

    Raises:
        NotFoundError: a template does not exist.
        InputError: the template cannot be used here, or a parameter has no value or a wrong one.
    """
    environment = definition.environment
    reference = environment.template_ref
    own = () if reference is None else (reference,)
    library = await library_of(
        store.templates, definition.tenant, (*own, *included(environment.template))
    )
    template: Template = environment.template if reference is None else library.find(reference)
    # In a thread, since plugins may have to be asked what they take.
    await asyncio.to_thread(validate.check, template, environment.groups, library)
    values = parameters.resolve(template, environment.parameters, request.parameters)
    followed = environment.model_copy(update={"template": written_out(template, library)})
    return followed, values
