"""Alembic's migrations of the database; run by `engine.store.schema`."""
