"""Open the playground: python app.py [--host 127.0.0.1] [--port 7860]"""

from __future__ import annotations

import argparse
import os
import socket

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported

from clip_tta_core import limits  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Watch CLIP adapt itself to pictures it was not trained for."
    )
    parser.add_argument("--host", default=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"))
    parser.add_argument("--port", type=int, default=None)
    args = parser.parse_args()
    try:
        limits.check()
        check_address(args.host, args.port)
        from clip_tta_core import ui  # takes seconds, which nobody should wait to hear what is wrong

        page = ui.build()
        ui.launch(page, server_name=args.host, server_port=args.port)
    except (ValueError, OSError) as problem:  # a damaged file of ours, a folder that cannot be made, no port
        parser.error(" ".join(str(problem).split()))


def check_address(host: str, port: int | None) -> None:
    """Raise one sentence unless a page can be served there; without a port, a free one will be found."""
    if port is not None and not 0 < port < 2**16:
        raise ValueError(f"--port must be in 1 to 65535, got {port}.")
    try:
        family, *_, address = socket.getaddrinfo(host, port or 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        if port is not None and _answers(host, port):
            raise ValueError(f"--port {port} is in use on {host}; choose another, or none at all.") from error
        raise ValueError(f"--host {host} must be an address of this machine ({reason}).") from error


def _answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


if __name__ == "__main__":
    main()
