"""Signed votes: what a person signs, with which key, and how it is verified."""
