"""Freeze windows out of calendars."""
