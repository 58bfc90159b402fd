"""Test-time adaptation of CLIP: methods, corruptions, pictures, an engine that runs them, and a page."""

__version__ = "0.2.0"
