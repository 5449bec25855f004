"""The directory of local state (PROMOTE_HOME): who uses it, and what runs on it."""
