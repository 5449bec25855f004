"""Structured logs: every line of a process in one form, with the span that it belongs to."""
