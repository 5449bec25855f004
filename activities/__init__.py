"""Activities: load, call the domain, store, return. Each is idempotent, since it may run twice."""
