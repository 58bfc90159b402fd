"""Write the declarations for the scripts: python -m clip_tta_core.ui.wire"""

from clip_tta_core.ui.wire import declare

if __name__ == "__main__":
    for place, text in declare.files().items():
        place.write_text(text, encoding="utf-8")
