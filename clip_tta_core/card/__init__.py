"""Measure an embedded CLIP and write its card: python -m clip_tta_core.card --model photo-clip"""
