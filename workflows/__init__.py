"""Workflows: orchestration only. Deterministic; what touches the world is an activity."""
