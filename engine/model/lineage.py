"""What a promotion follows upon: the ones before it that it is related to."""

from __future__ import annotations

from uuid import UUID

from engine.model.base import Name, Value


class RelatedPromotion(Value):
    """Another promotion, and where its trace is.

    Attributes:
        trace_id: 32 lower-case hexadecimal digits; its caller's trace where it continued one.
    """

    promotion_id: UUID
    release_id: UUID
    environment: Name
    trace_id: str


class Lineage(Value):
    """The promotions that one follows upon, as of its request.

    Attributes:
        previous_environment: that of the same release to the environment before this one, by the
            environments' `order`; of several the one that succeeded last.
        rolled_back: the last to succeed in this environment, of another version of the same
            release, where the version now promoted had succeeded there before it: to deploy again
            what an environment had before is to take back what it got since.
        retried: the promotion that this one tries again.
    """

    previous_environment: RelatedPromotion | None = None
    rolled_back: RelatedPromotion | None = None
    retried: RelatedPromotion | None = None
