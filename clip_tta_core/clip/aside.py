"""Small work with tensors outside a run, done where it leaves nothing behind that would slow a run down."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")


def aside(work: Callable[..., Result], *arguments: Any) -> Result:
    """Do `work` in a thread that ends with it.

    The workers that OpenMP gives a thread live as long as the thread; the main one's, as long as the page.
    While there are more of them than processors, those of a run fall asleep wherever they wait for each
    other, and on a busy machine waking them costs a fifth of the run.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="aside") as thread:
        return thread.submit(work, *arguments).result()
