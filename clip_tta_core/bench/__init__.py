"""Measurements, never tests: how fast the parts are on the machine at hand."""
