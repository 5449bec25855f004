"""The built-in node types, one file a type."""
