"""What a node uses of plugins, held against them when a template is applied."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from engine.model.base import Document
from engine.model.explanation import Problem
from engine.plugins.protocol import OfferKind
from engine.plugins.use import PluginUse, problems
from engine.templates.nodes.notify import NotifyInputs


def plugin_problems(inputs: Document, settled: Callable[[object], bool]) -> Iterator[Problem]:
    """Everything in which a node does not fit the plugin that it uses, by location in its inputs.

    Args:
        settled: whether a value is final; see `engine.plugins.schema.problems`.
    """
    if isinstance(inputs, PluginUse):
        yield from problems(inputs, OfferKind.STEP, settled)
    elif isinstance(inputs, NotifyInputs) and inputs.plugin is not None:
        for each in problems(inputs.plugin, OfferKind.NOTIFIER, settled):
            yield Problem(("plugin", *each.location), each.problem, each.remedy)
