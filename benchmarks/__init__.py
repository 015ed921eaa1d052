"""Measurements, run by hand: ``make bench``. Each prints JSON with its baseline from the same run."""
