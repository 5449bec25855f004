"""Links between spans: what one is to another, beside parent and child.

Source: https://opentelemetry.io/docs/specs/otel/overview/#links-between-spans. OpenTelemetry has no
convention for the kind of a link, so it is in an attribute of ours, `promotion.link`.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.model.lineage import Lineage, RelatedPromotion
from engine.telemetry import ids, names
from engine.telemetry.record import SpanLink


def to_lineage(lineage: Lineage) -> Iterator[SpanLink]:
    """The links from a promotion to those that it follows upon."""
    if lineage.previous_environment is not None:
        yield _to_promotion(names.PREVIOUS_ENVIRONMENT, lineage.previous_environment)
    if lineage.rolled_back is not None:
        yield _to_promotion(names.ROLLED_BACK, lineage.rolled_back)
    if lineage.retried is not None:
        yield _to_promotion(names.RETRIED, lineage.retried)


def within_trace(relation: str, trace_id: str, trace_state: str, span_id: str) -> SpanLink:
    """A link to another span of the same trace."""
    return SpanLink(
        trace_id=trace_id,
        span_id=span_id,
        trace_state=trace_state,
        attributes={names.LINK: relation},
    )


def _to_promotion(relation: str, promotion: RelatedPromotion) -> SpanLink:
    identity = str(promotion.promotion_id)
    return SpanLink(
        trace_id=promotion.trace_id,
        span_id=ids.span_id(promotion.trace_id, names.PROMOTION_REQUEST, identity),
        attributes={
            names.LINK: relation,
            names.PROMOTION_ID: identity,
            names.RELEASE_ID: str(promotion.release_id),
            names.ENVIRONMENT_NAME: promotion.environment,
        },
    )
