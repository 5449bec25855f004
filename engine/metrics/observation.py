"""What is read now and then, and exported from memory.

Instruments are called back on the exporter's thread, and what they tell has to be asked for on the
event loop, from a database or a server. So a task refreshes the readings, and the instruments tell
the last ones; once those are out of date they tell nothing, since no number is better than an old
one.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial

from opentelemetry.metrics import CallbackOptions, Meter, Observation
from opentelemetry.util.types import AttributeValue

from engine.errors import PromotionEngineError
from engine.metrics.names import Kind, Metric

Attributes = Mapping[str, AttributeValue]
Readings = Mapping[str, Sequence[tuple[float, Attributes]]]
"""Values with their attributes, by the name of the metric."""

LONGEST_READ = timedelta(seconds=30)
SHARE = 20
"""A source rests for so many times as long as reading it took, so that it costs at most 5 %."""

LIFETIMES = 3
"""Periods after which a reading that was not renewed is out of date."""

_LOGGER = logging.getLogger(__name__)


class Source:
    """One source of readings.

    Args:
        about: what it is, for the log.
        metrics: what its readings are of.
        read: reads them; may raise any error of the engine.
        every: how often, at most.
    """

    def __init__(
        self,
        about: str,
        metrics: Iterable[Metric],
        read: Callable[[], Awaitable[Readings]],
        every: timedelta,
    ) -> None:
        self._about = about
        self._metrics = tuple(metrics)
        self._read = read
        self._every = every.total_seconds()
        self._readings: Readings = {}
        self._good_until = 0.0
        self._failing = False

    def register(self, meter: Meter) -> None:
        """Make the instruments that tell the readings."""
        for metric in self._metrics:
            observe(meter, metric, partial(self.current, metric.name))

    def current(self, name: str) -> Sequence[tuple[float, Attributes]]:
        """The last readings of the metric called `name`; none when they are out of date."""
        # Taken once: the event loop may put others in their place meanwhile.
        readings = self._readings
        return readings.get(name, ()) if time.monotonic() < self._good_until else ()

    async def run(self) -> None:
        """Refresh the readings until cancelled."""
        while True:
            rest = await self.refresh()
            await asyncio.sleep(rest)

    async def refresh(self) -> float:
        """Read once. What cannot be read is logged when that begins.

        Returns:
            How long to rest, in seconds.
        """
        started = time.monotonic()
        try:
            async with asyncio.timeout(LONGEST_READ.total_seconds()):
                readings = await self._read()
        except (PromotionEngineError, TimeoutError) as error:
            if not self._failing:
                reason = str(error) or f"no answer within {LONGEST_READ}"
                _LOGGER.warning("no metrics of %s for now: %s", self._about, reason)
            self._failing = True
        except Exception:
            # Whatever is wrong with a measurement, the others and the work go on.
            _LOGGER.exception("no metrics of %s for now", self._about)
            self._failing = True
        else:
            self._failing = False
        ended = time.monotonic()
        rest = max(self._every, SHARE * (ended - started))
        if not self._failing:
            self._readings = readings
            self._good_until = ended + LIFETIMES * rest
        return rest


def observe(
    meter: Meter, metric: Metric, current: Callable[[], Iterable[tuple[float, Attributes]]]
) -> None:
    """Make an instrument that tells what `current` returns, which is called on another thread."""

    def told(options: CallbackOptions) -> Iterable[Observation]:
        return [Observation(value, attributes) for value, attributes in current()]

    if metric.kind is Kind.OBSERVABLE_COUNTER:
        make = meter.create_observable_counter
        make(metric.name, [told], metric.unit, metric.description)
    else:
        meter.create_observable_gauge(metric.name, [told], metric.unit, metric.description)
