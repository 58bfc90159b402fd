"""Threads of their own for work that is heavy, so that those who only press a button never wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")
BUSY = "This page is busy with other visitors' pictures; try again in a moment."


class Busy(ValueError):
    """Too much is waiting to be done; the text is the sentence for the visitor."""


class Workshop:
    """Does so many pieces of work at once and keeps so many waiting; those wait without a thread.

    To be asked from one event loop.
    """

    def __init__(self, name: str, at_once: int, waiting: int) -> None:
        self._most = at_once + waiting
        self._standing = 0
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix=name)

    async def do(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """Do a piece of work in its turn.

        Raises:
            Busy: where too much is waiting.
        """
        if self._standing >= self._most:
            raise Busy(BUSY)
        self._standing += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
        finally:
            self._standing -= 1
