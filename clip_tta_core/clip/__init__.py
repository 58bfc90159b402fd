"""CLIP as a zero-shot classifier whose normalization layers can be adapted."""
