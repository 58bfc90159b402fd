"""A folder of measured cells: one file each, written whole or not at all."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clip_tta_core.sweep.cells import Cell, code_version, weights_version
from clip_tta_core.versions import now

FAILED = ".failed.json"


@dataclass(frozen=True)
class Folder:
    """Cells by their keys. Folders filled on several machines are merged by copying their files together."""

    path: Path

    def get(self, cell: Cell) -> Mapping[str, float] | None:
        """The numbers of a cell, or None where nobody has measured it."""
        found = self._content(f"{cell.key}.json")
        return found and found["numbers"]

    def has(self, cell: Cell) -> bool:
        return self._file(cell).exists()

    def missing(self, cells: Iterable[Cell], again: bool = False) -> list[Cell]:
        """The different cells nobody has measured, in order; those that failed only when asked `again`."""
        wanted = {cell.key: cell for cell in cells}
        return [
            cell
            for key, cell in wanted.items()
            if not self.has(cell) and (again or not (self.path / (key + FAILED)).exists())
        ]

    def failures(self, cells: Iterable[Cell]) -> dict[str, str]:
        """Why cells could not be measured, by key."""
        return {cell.key: problem for cell, problem in self.read(cells)[1].items()}

    def read(self, cells: Iterable[Cell]) -> tuple[dict[Cell, Mapping[str, float]], dict[Cell, str]]:
        """The numbers of the cells that are measured, and why others could not be."""
        numbers, problems = {}, {}
        for cell in cells:
            key = cell.key
            if found := self._content(f"{key}.json"):
                numbers[cell] = found["numbers"]
            elif found := self._content(key + FAILED):
                problems[cell] = found["problem"]
        return numbers, problems

    def put(self, cell: Cell, numbers: Mapping[str, float]) -> None:
        """Keep a cell's numbers, with what anybody needs to make or doubt them."""
        self._write(self._file(cell), self._card(cell) | {"numbers": dict(numbers)})
        (self.path / (cell.key + FAILED)).unlink(missing_ok=True)

    def fail(self, cell: Cell, problem: str) -> None:
        """Keep why a cell could not be measured."""
        self._write(self.path / (cell.key + FAILED), self._card(cell) | {"problem": problem})

    def card(self, cell: Cell) -> dict[str, Any]:
        """All that is kept of a cell that was measured: what, with which versions, when, and the numbers."""
        return json.loads(self._file(cell).read_text(encoding="utf-8"))

    def keep(self, most: int) -> None:
        """Forget the oldest files where there are more than `most`."""
        files = [(file.stat().st_mtime, file) for file in self.path.glob("*.json")]
        for _, file in sorted(files)[: max(0, len(files) - most)]:
            file.unlink(missing_ok=True)

    def _content(self, name: str) -> dict[str, Any] | None:
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None

    def _file(self, cell: Cell) -> Path:
        return self.path / f"{cell.key}.json"

    def _card(self, cell: Cell) -> dict[str, object]:
        return {
            "cell": asdict(cell),
            "code": code_version(),
            "weights": weights_version(cell.model),
            "machine": platform.machine(),
            **now(),
        }

    def _write(self, file: Path, content: Mapping[str, object]) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(f".{file.name}.{platform.node()}.{os.getpid()}")  # nobody else's
        draft.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        os.replace(draft, file)
