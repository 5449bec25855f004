"""Plugins: what others add to the engine, in Python or as programs of their own."""
