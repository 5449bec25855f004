"""Strategies: targets in, batches out. Pure planning, one file a strategy."""
