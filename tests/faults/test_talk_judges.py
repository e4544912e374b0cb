"""The judges of journals, tokens and streams find every fault that they are for."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from taskflow import Attempt, AttemptOutcome, Run, RunError, RunStatus, Token, TokenStatus
from tests.faults.journals import Journals, check_journals
from tests.faults.ledger import Ledger, read_ledger
from tests.faults.leftovers import leftovers
from tests.faults.letters import Completion, Send
from tests.faults.streams import check_exams, check_readings, check_tales
from tests.faults.talking_tasks import Line, Question
from tests.faults.tokens import check_tokens
from tests.support.servers import RedisServer

AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


def a_ledger(path: Path, *lines: str) -> Ledger:
    """Return a ledger of lines ``kind run claim words``, each of a first attempt in process 7."""
    whole = [
        f"{kind} {run} 1 {claim} 7 1.0 {words}"
        for kind, run, claim, words in (f"{line} ".split(" ", 3) for line in lines)
    ]
    path.write_text("".join(f"{line}\n" for line in whole))
    return read_ledger(path, {})


def a_run(run_id: str, *attempts: Attempt, task_id: str = "f-durable", parent: str | None = None) -> Run:
    """Return a run that completed."""
    return Run(
        run_id, task_id, RunStatus.COMPLETED, "q", "small-1x", "process", AT, 3, attempts=attempts, parent_id=parent
    )


def judged(path: Path, *lines: str, runs: tuple[Run, ...] = ()) -> Journals:
    """Return the result of the journals' judge for a ledger."""
    return check_journals({run.id: run for run in (a_run("a"), *runs)}, a_ledger(path, *lines))


def test_a_step_that_runs_though_the_journal_has_it_is_found(path: Path) -> None:
    """The repetition is under the claim that has the entry, or under a later one."""
    began, kept = "step a 1 s-0 goes", "stepped a 1 s-0 x"
    assert judged(path, began, kept, "stepped a 2 s-0 x") == Journals(kept=1)
    for claim in (1, 2):
        again = judged(path, began, kept, f"step a {claim} s-0 goes")
        assert again.problems == [f"s-0 of a ran under claim {claim}, though the journal had it under claim 1"]


def test_a_step_that_was_in_progress_may_run_twice_and_is_counted(path: Path) -> None:
    """So is a step that begins under an older claim. A step that failed in place was not done."""
    assert judged(path, "step a 1 s-0 goes", "step a 2 s-0 goes", "stepped a 2 s-0 x") == Journals(kept=1, twice=1)
    assert judged(path, "step a 2 s-0 goes", "stepped a 2 s-0 x", "step a 1 s-0 goes") == Journals(kept=1, late=1)
    assert judged(path, "step a 1 s-0 fails", "step a 1 s-0 goes", "stepped a 1 s-0 x") == Journals(kept=1)


def test_a_pass_that_follows_in_the_same_attempt_was_unloaded_before(path: Path) -> None:
    """The report shows whether the mixture unloads any run."""
    assert judged(path, "pass a 1", "pass a 2", "pass b 1") == Journals(unloaded=1)


def test_a_call_that_returns_something_else_is_found(path: Path) -> None:
    """The value is a step's result, a time, a random number, or the id of a child."""
    (problem,) = judged(path, "stepped a 1 chance-0 x", "stepped a 2 chance-0 y").problems
    assert problem == "chance-0 of a was x under claim 1, and y under claim 2"


def test_a_child_that_was_made_twice_is_found(path: Path) -> None:
    """The run waited for one of them."""
    children = [a_run(name, task_id="f-short", parent="a") for name in "bc"]
    assert not judged(path, "stepped a 1 child-0 b", runs=(children[0],)).problems
    assert judged(path, "stepped a 1 child-0 b", runs=(*children,)).problems == [
        "a has the children b, c, and waited for b"
    ]


def a_token(status: TokenStatus, output: object = None, completed: int = 5) -> Token:
    """Return a token that times out after 5 s."""
    return Token("t", status, AT, AT + timedelta(seconds=5), AT + timedelta(seconds=completed), output=output)


def tokens_judged(path: Path, token: Token | None, *lines: str, **answers: bool | None) -> list[str]:
    """Return the result of the judge for a token that the driver tried to complete with these values."""
    tries = {"t": [Completion("t", value, was_first) for value, was_first in answers.items()]}
    return check_tokens({"t": token}, tries, a_ledger(path, *lines))


def test_a_run_that_sees_another_end_of_its_token_is_found(path: Path) -> None:
    """It sees the second value, or a timeout, although the first completed it; or a value although it timed out."""
    done, timed_out = a_token(TokenStatus.COMPLETED, "x"), a_token(TokenStatus.TIMED_OUT)
    assert not tokens_judged(path, done, "token a 1 t x", "token b 1 t x", x=True, y=False)
    assert tokens_judged(path, done, "token a 1 t x", "token b 1 t y", x=True, y=False) == ["t is x, and runs saw y"]
    assert tokens_judged(path, done, "token a 1 t timeout", x=True) == ["t is x, and runs saw timeout"]
    assert not tokens_judged(path, timed_out, "token a 1 t timeout", x=False)
    assert tokens_judged(path, timed_out, "token a 1 t x", x=False) == ["t is timeout, and runs saw x"]


def test_a_token_that_ended_otherwise_than_the_first_was_told_is_found(path: Path) -> None:
    """Unanswered tries may have been the first. Tries with the answer no were not."""
    done = a_token(TokenStatus.COMPLETED, "x")
    by_task = ("completing a 1 t x", "completed a 1 t x yes")
    assert not tokens_judged(path, done, x=None, y=False)
    assert not tokens_judged(path, done, *by_task, y=False)
    assert not tokens_judged(path, done, by_task[0], y=False)
    assert tokens_judged(path, done, x=False, y=None) == ["t has x, and may have y"]
    assert tokens_judged(path, done, *by_task, y=True) == ["t was completed by y and by x"]
    assert tokens_judged(path, a_token(TokenStatus.TIMED_OUT), x=True) == [
        "t timed out, and x was told that it had completed it"
    ]
    assert len(tokens_judged(path, a_token(TokenStatus.TIMED_OUT, completed=4), x=False)) == 1
    assert tokens_judged(path, a_token(TokenStatus.WAITING), x=None) == ["t is open, and x completed it"]
    assert tokens_judged(path, None, x=True) == ["t is gone"]


def tale_judged(path: Path, tale: str, *lines: str) -> list[str]:
    """Return the judge's result for items ``started.number``; claim 2 wrote all of its three, claim 1 was cut off."""
    items = [Line(started=int(item[0]), number=int(item[2])) for item in tale.split()]
    attempts = [
        Attempt(1, 1, "node", AT, AT, AttemptOutcome.LOST),
        Attempt(2, 2, "node", AT, AT, AttemptOutcome.FAILED, RunError("ConnectionError", "as told")),
    ]
    return check_tales({"a": a_run("a", *attempts)}, {"a": items}, {"a": 3}, a_ledger(path, *lines))


def test_items_of_a_stream_that_are_missing_double_or_out_of_order_are_found(path: Path) -> None:
    """The last items of an attempt that was cut off may be missing, unless their write was confirmed."""
    assert not tale_judged(path, "1.0 2.0 2.1 2.2")
    assert not tale_judged(path, "1.0 1.1 2.0 2.1 2.2", "told a 1 1 2")
    assert tale_judged(path, "1.0 2.0 2.1 2.2", "told a 1 1 2") == ["a has 1 items of claim 1, of 2 that were written"]
    assert tale_judged(path, "2.0 2.1 2.2", "told a 1 1 2") == ["a has 0 items of claim 1, of 2 that were written"]
    assert tale_judged(path, "1.0 2.0 2.1") == ["a has 2 items of claim 2, of 3 that were written"]
    assert tale_judged(path, "1.0") == ["a has 0 items of claim 2, of 3 that were written"]
    assert tale_judged(path, "1.0 1.0 2.0 2.1 2.2") == ["a has the items [0, 0] of claim 1"]
    assert tale_judged(path, "1.1 2.0 2.1 2.2") == ["a has the items [1] of claim 1"]
    assert tale_judged(path, "2.0 2.1 2.2 1.0") == ["a has items of claims in the order [2, 1]"]
    assert "a has items of claims in the order [1, 2, 1]" in tale_judged(path, "1.0 2.0 2.1 2.2 1.1")


def test_a_reader_that_misses_an_item_is_found() -> None:
    """Reading an item twice is found too."""
    tale = [Line(started=1, number=number) for number in range(3)]
    assert not check_readings({"a": tale}, {"a": [*tale]})
    assert len(check_readings({"a": tale}, {"a": tale[1:]})) == 1
    assert len(check_readings({"a": tale}, {"a": [*tale, tale[2]]})) == 1


def exam_judged(path: Path, held: str, sent: str, *lines: str) -> list[str]:
    """Return the judge's result for items ``number.send``. A sent item with a ? was not answered."""
    sends = [Send(a_question(each), is_certain=not each.endswith("?")) for each in sent.split()]
    items = [a_question(each) for each in held.split()]
    return check_exams({"a": a_run("a")}, {"a": items}, {"a": sends}, {"a": 1}, a_ledger(path, *lines))


def a_question(text: str) -> Question:
    """Return a question of its two figures."""
    return Question(number=int(text[0]), send=int(text[2]))


def test_items_that_a_run_was_sent_and_did_not_get_are_found(path: Path) -> None:
    """Each must be there in order and once. An item whose sending was not answered may be missing."""
    got = ("got a 1 0 0 1", "got a 1 1 1 1")
    assert not exam_judged(path, "0.1 1.1", "0.1 1.1", *got)
    assert not exam_judged(path, "0.1 1.1", "0.1 1.1? 1.2?", *got)
    assert not exam_judged(path, "0.1 1.1 1.2", "0.1 1.1? 1.2", *got)
    assert len(exam_judged(path, "0.1 1.1", "0.1 0.2 1.1", *got)) == 1, "a lost one"
    assert len(exam_judged(path, "0.1 1.1 1.1", "0.1 1.1", *got)) == 1, "a double one"
    assert len(exam_judged(path, "1.1 0.1", "0.1 1.1", "got a 1 0 1 1")) == 1, "out of order"
    assert exam_judged(path, "0.1 1.1", "0.1 1.1", "got a 1 0 1 1") == ["a got 1.1 as item 0 under claim 1"]
    assert exam_judged(path, "0.1 1.1", "0.1 1.1", got[0]) == ["a ended with question 0"]


def test_what_is_left_of_tokens_streams_and_journals_is_found(valkey: RedisServer) -> None:
    """By the table of keys an open token may be left, a completed one for a while, and a stream as long as its run."""
    client, base = valkey.client(), "{tf:left:0}"

    def left(*commands: str) -> list[str]:
        client.execute_command("FLUSHALL")
        for command in commands:
            client.execute_command(*command.replace("@", base).split())
        return leftovers(client, "left", 1)

    done = ("HSET @:token:t status COMPLETED", "ZADD @:tokens 1 t", "ZADD @:timers 9 token:t")
    stream_keys = ("SET @:run:a x PX 60000", "XADD @:stream:a:tale 1-0 item 1")
    assert not left("HSET @:token:t status WAITING", "ZADD @:tokens 1 t")
    assert not left(*done, "PEXPIRE @:token:t 60000")
    assert not left(*stream_keys, "PEXPIRE @:stream:a:tale 60000")
    assert left(*done) == [":token:t of a token that is COMPLETED has no TTL"]
    assert left(*done, "PEXPIRE @:token:t 60000", "SET @:token_key:d t") == [
        ":token_key:d of a token that is COMPLETED has no TTL"
    ]
    assert left("ZADD @:timers 9 token:t") == ["the timer 'token:t' is left"]
    failed = ("HSET @:run:a status FAILED durable 1", "PEXPIRE @:run:a 60000", "HSET @:journal:a 1 x")
    assert not left(*failed, "PEXPIRE @:journal:a 60000")
    assert left(*failed) == [":journal:a of a run that is FAILED has no TTL"]
    assert len(left(*failed, "PEXPIRE @:journal:a 60000", "HSET @:run:a status COMPLETED")) == 1
    assert len(left(*failed, "PEXPIRE @:journal:a 90000")) == 1
    assert left("HSET @:journal:a 1 x", "PEXPIRE @:journal:a 60000")[0].startswith(":journal:a is left")
    assert len(left("HSET @:run:a status FAILED", "PEXPIRE @:run:a 60000", "HSET @:waits:a 1:left 1")) == 1
    assert len(left(*stream_keys)) == 1
    assert len(left(*stream_keys, "PEXPIRE @:stream:a:tale 90000")) == 1
    assert len(left(stream_keys[1], "PEXPIRE @:stream:a:tale 60000")) == 1
    assert len(left("HSET @:journal:a 0.1 x")) == 1
    client.close()
