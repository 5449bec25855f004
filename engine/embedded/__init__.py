"""The whole system on one machine: the process tree of `promote dev`."""
