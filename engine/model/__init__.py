"""Typed, immutable values of the domain. Imports nothing else of this project."""
