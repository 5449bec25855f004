"""Gates: whether a release may go. One file a gate, one Protocol, one registry."""
