"""Metrics: what is measured, where it is read from, and its export by OTLP.

Exact counts are read out of the database when they are exported, durations are taken from what the
workflows have decided, and Temporal's own metrics pass through. See docs/metrics.md.
"""
