"""Signed envelopes, the JSON in them, and the key files that sign: for evidence and for votes."""
