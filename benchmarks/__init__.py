"""Measurements, not tests: ratios within one run, since machines differ and are noisy."""
