"""The command `promote`. Nothing heavy is imported before a command needs it."""
