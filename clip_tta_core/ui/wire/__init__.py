"""What travels between Python and the browser, declared once: names, states, measures, each part's data.

Nothing here knows Gradio. `python -m clip_tta_core.ui.wire` writes the same declarations for the scripts:
assets/js/wire.d.ts (types) and assets/js/wire.js (constants).
"""
