"""Tracing: names and ids of spans, their mapping from Temporal, propagation, and export.

The specification's names and attributes are in `names`; everything that Temporal tells about a
workflow or an activity becomes a `record.SpanRecord`, whether it is observed live or read back from
an event history.
"""
