"""Drivers: how an agent changes a target. One file a driver, one Protocol, one registry."""
