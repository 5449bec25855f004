"""Parsers of scanners' reports, one file a format: bytes in, typed findings out."""
