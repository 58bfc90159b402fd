"""The cards of the embedded CLIPs, written from recorded tables: python -m clip_tta_core.card"""
