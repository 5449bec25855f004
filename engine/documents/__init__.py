"""The files that people write: environments and releases in YAML, read and checked."""
