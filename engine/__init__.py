"""The promotion engine's domain: what a promotion is, free of Temporal.

The only parts below this package that know Temporal are the tracing interceptor
(`engine.telemetry`) and the entry points (`worker`, `agent`, `client`, `cli`, `embedded`).
"""
