"""Parsing in worker processes: limits, crashes, and getting over them."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Thread

import pytest
import uvloop

from newsletter.collect.parsing import Parser
from newsletter.errors import SourceError
from tests.collect import jobs

SECOND = timedelta(seconds=1)
LONG = timedelta(seconds=30)


@pytest.fixture
def parser() -> Iterator[Parser]:
    with Parser(2) as pool:
        yield pool


async def test_work_is_done_in_another_process(parser: Parser) -> None:
    assert await parser.run(LONG, jobs.double, 21) == 42
    assert await parser.run(LONG, jobs.process_id) != os.getpid()


async def test_a_process_is_used_again(parser: Parser) -> None:
    assert len({await parser.run(LONG, jobs.process_id) for _ in range(4)}) == 1


@pytest.mark.parametrize("work", [jobs.never_return, jobs.spin])
async def test_what_takes_too_long_is_ended(parser: Parser, work: object) -> None:
    began = time.monotonic()
    with pytest.raises(SourceError, match=r"took longer than 0\.5 s"):
        await parser.run(SECOND / 2, work)  # type: ignore[arg-type]
    assert time.monotonic() - began < 20
    assert await parser.run(LONG, jobs.double, 1) == 2


async def test_an_ended_process_is_really_gone(parser: Parser) -> None:
    number = await parser.run(LONG, jobs.process_id)
    with pytest.raises(SourceError):
        await parser.run(SECOND / 2, jobs.spin)
    assert not Path(f"/proc/{number}").exists()


async def test_one_that_hangs_does_not_hold_up_another(parser: Parser) -> None:
    await asyncio.gather(*(parser.run(LONG, jobs.double, 1) for _ in range(2)))
    hanging = asyncio.create_task(parser.run(LONG, jobs.spin))
    results = [await parser.run(LONG, jobs.double, number) for number in range(3)]
    assert results == [0, 2, 4]
    assert not hanging.done()
    parser.close()
    with pytest.raises(SourceError, match="ended"):
        await hanging


@pytest.mark.parametrize(("work", "words"), [(jobs.die, "signal 9"), (jobs.leave, "exit 3")])
async def test_a_process_that_dies_is_replaced(parser: Parser, work: object, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        await parser.run(LONG, work)  # type: ignore[arg-type]
    assert await parser.run(LONG, jobs.double, 4) == 8


async def test_an_error_that_explains_itself_comes_through(parser: Parser) -> None:
    with pytest.raises(SourceError) as caught:
        await parser.run(LONG, jobs.refuse)
    assert str(caught.value) == "front: it is not what it should be. Look at it"


@pytest.mark.parametrize(("work", "words"), [(jobs.stumble, "RecursionError: too deep"), (jobs.hoard, "MemoryError")])
async def test_any_other_error_is_one_line(parser: Parser, work: object, words: str) -> None:
    with pytest.raises(SourceError, match=words) as caught:
        await parser.run(LONG, work)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


async def test_what_a_parser_prints_disturbs_nobody(parser: Parser, capfd: pytest.CaptureFixture[str]) -> None:
    assert await parser.run(LONG, jobs.chatter) == "done"
    assert capfd.readouterr().out == ""


async def test_large_results_come_whole(parser: Parser) -> None:
    assert len(await parser.run(LONG, jobs.large)) == 20_000_000


def test_it_serves_plain_threads(parser: Parser) -> None:
    results: list[int] = []
    threads = [Thread(target=lambda n=n: results.append(parser.run_here(LONG, jobs.double, n))) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [0, 2, 4, 6]


def test_it_serves_uvloop(parser: Parser) -> None:
    assert uvloop.run(parser.run(LONG, jobs.double, 3)) == 6


async def test_after_the_end_there_is_no_more_work() -> None:
    parser = Parser(1)
    number = await parser.run(LONG, jobs.process_id)
    parser.close()
    parser.close()
    assert not Path(f"/proc/{number}").exists()
    with pytest.raises(SourceError):
        parser.run_here(LONG, jobs.double, 1)


async def test_files_in_the_folder_one_works_in_do_not_stand_in_for_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pickle.py").write_text("raise SystemExit('not this one')")
    monkeypatch.chdir(tmp_path)
    with Parser(1) as parser:
        assert await parser.run(LONG, jobs.double, 2) == 4
