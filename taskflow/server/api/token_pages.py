"""Pages of wait tokens, newest first, in both directions."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from pydantic import Field

from taskflow.definition.calls.tokens import Token, TokenStatus
from taskflow.durations import parse_duration
from taskflow.errors import DefinitionError, WaitError
from taskflow.seams.tokens import TokenQuery
from taskflow.server.api.issued_cursors import PagePosition, issued, page_position
from taskflow.server.api.pagination import DEFAULT_SIZE, PageSize
from taskflow.server.api.wire import Text, Wire
from taskflow.server.call import Call
from taskflow.server.problems import Problem

_PART: Final = 200
_MOST_LOOKED_AT: Final = 20_000
"""Tokens that one page looks at. Behind these the list ends."""


class TokenListQuery(Wire):
    """A filter of tokens: every condition must hold, one with several values when any of them does."""

    status: Text | None = Field(default=None, alias="filter[status]")
    tags: Text | None = Field(default=None, alias="filter[tags]")
    idempotency_key: Text | None = Field(default=None, alias="filter[idempotencyKey]")
    period: Text | None = Field(default=None, alias="filter[createdAt][period]")
    created_from: Text | None = Field(default=None, alias="filter[createdAt][from]")
    created_to: Text | None = Field(default=None, alias="filter[createdAt][to]")
    size: PageSize = Field(default=DEFAULT_SIZE, alias="page[size]")
    after: Text | None = Field(default=None, alias="page[after]")
    before: Text | None = Field(default=None, alias="page[before]")


class _Filter:
    """The conditions of a query, as the engine and this module check them."""

    def __init__(self, query: TokenListQuery) -> None:
        self.statuses = _statuses(query.status)
        self.tags = tuple(tag for tag in (query.tags or "").split(",") if tag)
        self.key = query.idempotency_key
        self.since = _instant(query.created_from)
        self.until = _instant(query.created_to)
        if query.period:
            try:
                back = datetime.now(UTC) - parse_duration(query.period, option="filter[createdAt][period]")
            except DefinitionError as wrong:
                raise Problem(400, "invalid_query", f"filter[createdAt][period]: {wrong.what}.", wrong.remedy) from None
            self.since = max(back, self.since) if self.since else back

    def has(self, token: Token) -> bool:
        """Whether a token fulfils every condition."""
        return (
            (not self.statuses or token.status in self.statuses)
            and (self.key is None or token.idempotency_key == self.key)
            and (self.since is None or token.created_at >= self.since)
            and (self.until is None or token.created_at <= self.until)
        )

    def is_behind(self, token: Token) -> bool:
        """Whether a token, and so every older one, is too old."""
        return self.since is not None and token.created_at < self.since


async def token_page(call: Call, query: TokenListQuery) -> tuple[Sequence[Token], str | None, str | None]:
    """Return a page's tokens, and the cursors of older and of newer ones.

    Raises:
        Problem: 400: a condition or a cursor is not possible.
    """
    position, wanted = page_position(query.after, query.before), _Filter(query)
    try:
        if position.is_before:
            found, has_newer, has_older = await _before(call, wanted, position, query.size)
        else:
            found = await _behind(call, wanted, position.cursor, query.size + 1)
            has_older, has_newer = len(found) > query.size, position.cursor is not None
            found = found[: query.size]
    except WaitError:
        raise Problem(400, "invalid_cursor", "The cursor is not one of this list.") from None
    older = issued(found[-1][0]) if found and has_older else None
    newer = issued(found[0][0]) if found and has_newer else None
    return [token for _, token in found], older, newer


async def _behind(call: Call, wanted: _Filter, cursor: str | None, most: int) -> list[tuple[str, Token]]:
    """Return the tokens behind a cursor, ``most`` at most."""
    found: list[tuple[str, Token]] = []
    status = wanted.statuses[0] if len(wanted.statuses) == 1 else None
    for _ in range(_MOST_LOOKED_AT // _PART):
        part = await call.engine.tokens.aplaced(TokenQuery(status, wanted.tags, _PART, cursor))
        for place, token in part:
            if wanted.is_behind(token):
                return found
            if wanted.has(token):
                found.append((place, token))
                if len(found) == most:
                    return found
        if len(part) < _PART:
            break
        cursor = part[-1][0]
    return found


async def _before(
    call: Call, wanted: _Filter, position: PagePosition, size: int
) -> tuple[list[tuple[str, Token]], bool, bool]:
    """Return the tokens just before a cursor, and whether newer and older ones exist."""
    newest = await _behind(call, wanted, None, _MOST_LOOKED_AT)
    limit = _order(position.cursor or "")
    ahead = [each for each in newest if _order(each[0]) > limit]
    page = ahead[-size:]
    return page, len(ahead) > len(page), len(newest) > len(ahead)


def _order(cursor: str) -> tuple[int, str]:
    score, _, token_id = cursor.partition(":")
    if not score.isdecimal():  # isdigit() takes "²", which int() does not
        raise WaitError("")
    return int(score), token_id


def _statuses(given: str | None) -> tuple[TokenStatus, ...]:
    try:
        return tuple(TokenStatus(name) for name in (given or "").split(",") if name)
    except ValueError:
        names = ", ".join(TokenStatus)
        raise Problem(400, "invalid_query", "filter[status]: an unknown status.", f"It is one of {names}.") from None


def _instant(given: str | None) -> datetime | None:
    """Return an instant that is given as ms since 1970, or as ISO 8601."""
    if not given:
        return None
    try:
        at = datetime.fromtimestamp(int(given) / 1000, UTC) if given.isdigit() else datetime.fromisoformat(given)
    except (ValueError, OverflowError, OSError):
        raise Problem(400, "invalid_query", "filter[createdAt]: neither ms since 1970 nor ISO 8601.") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
