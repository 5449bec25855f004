"""Expressions in CEL (https://cel.dev): what they may speak of, checking them, evaluating them."""
