"""The record of everything: tables, migrations' programmatic face, and one repository an aggregate.

Start at `engine.store.store.Store`. SQLite and PostgreSQL hold the same and are tested alike.
"""
