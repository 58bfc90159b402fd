"""Write the cards of the embedded models from what is recorded: python -m clip_tta_core.card"""

from __future__ import annotations

from clip_tta_core.card import drawings, photographs
from clip_tta_core.clip.embedded import MINI, PHOTO
from clip_tta_core.sweep.recorded import Recorded

CARDS = {MINI: drawings.card, PHOTO: photographs.card}


def main() -> None:
    for member, card in CARDS.items():
        (member.folder / "README.md").write_text(card(Recorded()), encoding="utf-8")


if __name__ == "__main__":
    main()
