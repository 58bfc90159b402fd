"""Open the playground: python app.py [--host 127.0.0.1] [--port 7860]"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported

from clip_tta_core import limits, ui  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Watch CLIP adapt itself to pictures it was not trained for."
    )
    parser.add_argument("--host", default=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"))
    parser.add_argument("--port", type=int, default=None)
    args = parser.parse_args()
    try:
        limits.check()
    except ValueError as problem:
        parser.error(str(problem))
    ui.launch(ui.build(), server_name=args.host, server_port=args.port)


if __name__ == "__main__":
    main()
