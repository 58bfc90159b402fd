"""Heavy work waits without holding up whoever asks, and beyond a bound it is refused."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from clip_tta_core.ui.session.workshop import Busy, Workshop


def run(work: Coroutine) -> Any:
    """The result of a coroutine, in a loop of its own: the browser's may be under way in this thread."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, work).result()


def test_so_many_at_once_so_many_waiting_and_a_sentence_for_the_rest():
    go, inside, most, lock = threading.Event(), [], [], threading.Lock()

    def work(number: int) -> int:
        with lock:
            inside.append(number)
            most.append(len(inside))
        assert go.wait(20)
        with lock:
            inside.remove(number)
        return number

    async def visit() -> list:
        shop = Workshop("test", at_once=2, waiting=3)
        asked = [asyncio.create_task(shop.do(work, number)) for number in range(60)]
        await asyncio.sleep(0.05)  # meanwhile the loop is free: this returns at once
        go.set()
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert await shop.do(work, 60) == 60, "there is room again"
        return answers

    answers = run(visit())
    assert answers[:5] == [0, 1, 2, 3, 4] and max(most) <= 2
    assert all(isinstance(one, Busy) and "try again" in str(one) for one in answers[5:])


def test_errors_reach_whoever_asked_and_give_the_place_back():
    def broken():
        raise ZeroDivisionError

    async def visit():
        shop = Workshop("test", at_once=1, waiting=0)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await shop.do(broken)

    run(visit())
