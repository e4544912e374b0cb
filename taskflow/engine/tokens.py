"""The engine behind the verbs of tokens."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from taskflow.definition.calls.idempotency import IdempotencyKey
from taskflow.definition.calls.token_schema import check_by_schema, schema_digest
from taskflow.definition.calls.tokens import Token, TokenPage, TokenStatus
from taskflow.definition.context import current_context
from taskflow.engine.loops import Loop
from taskflow.engine.round_trips import Steps, adrive, checked, drive
from taskflow.errors import TokenDataError, TokenNotFoundError, WaitError
from taskflow.errors.base import shown
from taskflow.seams.token_links import TokenLinks
from taskflow.seams.tokens import MadeToken, TokenOptions, TokenQuery
from taskflow.seams.waits import Waiter
from taskflow.store import operations
from taskflow.store.operations.tokens import NewToken, Unchecked, read_token
from taskflow.store.operations.waits import complete_item, read_waiters
from taskflow.store.sync_store import Store
from taskflow.store.wire import locate, new_token_id, shard_of_queue, shard_of_run, shard_of_token

_CURSOR = re.compile(r"[0-9]{1,20}:token_[0-9a-f]+")
_COUNTED = 1000
"""More than one call of the store looks at."""


class TokenEngine:
    """Tokens by id. A token is on the shard that its id names.

    Args:
        kept: How long the store keeps a token that is completed or timed out.
        output_limit: Most bytes of JSON that complete a token.
        links: The maker of its URL and its public token.
    """

    def __init__(
        self, store: Store, loop: Callable[[], Loop], kept: timedelta, output_limit: int, links: TokenLinks
    ) -> None:
        self._store, self._loop, self.links = store, loop, links
        self._kept, self._output_limit = kept, output_limit
        self._shards = store.config.shards

    def create(self, options: TokenOptions) -> MadeToken:
        """Make a token, or find the older one with the same idempotency key."""
        return drive(self._store, self._create(options))

    async def acreate(self, options: TokenOptions) -> MadeToken:
        """Make a token."""
        return await adrive(self._loop().store, self._create(options))

    def complete(self, token_id: str, output: bytes, checked: str = "") -> bool:
        """Complete a token. Returns False when it was already completed or timed out.

        Args:
            checked: The schema that the output was checked against, "" for none.
        """
        return drive(self._store, self._complete(token_id, output, checked))

    async def acomplete(self, token_id: str, output: bytes, checked: str = "") -> bool:
        """Complete a token. See ``complete``."""
        return await adrive(self._loop().store, self._complete(token_id, output, checked))

    def retrieve(self, token_id: str) -> Token:
        """Return a token's record."""
        return drive(self._store, self._retrieve(token_id))

    async def aretrieve(self, token_id: str) -> Token:
        """Return a token's record."""
        return await adrive(self._loop().store, self._retrieve(token_id))

    async def aretrieve_known(self, token_ids: Sequence[str]) -> Sequence[Token]:
        """Return those of some tokens that there are, by one round trip."""
        return await adrive(self._loop().store, self._known(token_ids))

    def list(self, query: TokenQuery) -> TokenPage:
        """Return a page of tokens, newest first."""
        return drive(self._store, self._list(query))

    async def alist(self, query: TokenQuery) -> TokenPage:
        """Return a page of tokens, newest first."""
        return await adrive(self._loop().store, self._list(query))

    async def acount_waiting(self) -> tuple[int, bool]:
        """Return how many of the newest tokens are waiting, 200 a shard, and whether there are tokens before those."""
        return await adrive(self._loop().store, self._count_waiting())

    async def awaiting(self, token_ids: Sequence[str]) -> Mapping[str, str]:
        """Return the run that waits for each token, as far as one waits."""
        return await adrive(self._loop().store, self._waiting(token_ids))

    async def aplaced(self, query: TokenQuery) -> Sequence[tuple[str, Token]]:
        """Return a page of tokens, newest first, each with the cursor behind it. Fewer than the limit are the last."""
        return await adrive(self._loop().store, self._placed(query))

    def wait(self, token_id: str, waiter: Waiter) -> datetime | None:
        """Let a token complete the waiter's item. Returns the token's timeout."""
        return drive(self._store, self._wait(token_id, waiter))

    async def await_(self, token_id: str, waiter: Waiter) -> datetime | None:
        """Let a token complete the waiter's item."""
        return await adrive(self._loop().store, self._wait(token_id, waiter))

    def _create(self, options: TokenOptions) -> Steps[MadeToken]:
        shard = self._shard_of_new(options.idempotency_key)
        new = NewToken(
            id=new_token_id(shard),
            kept=self._kept,
            timeout=options.timeout,
            tags=options.tags,
            key=options.idempotency_key,
            key_ttl=options.idempotency_key_ttl,
            schema=options.schema,
        )
        token_id, is_new = yield operations.tokens.create_token(new), shard
        return MadeToken(token_id, not is_new, *self.links.links(token_id))

    def _shard_of_new(self, key: IdempotencyKey | None) -> int:
        """Return the shard of a new token: that of the run that makes it, except outside a run or with a global key."""
        context = current_context()
        shard = shard_of_run(context.run.id) if context else None
        if shard is not None and shard < self._shards and (key is None or key.scope != "global"):
            return shard
        return shard_of_queue(key.digest if key else new_token_id(0), self._shards)

    def _complete(self, token_id: str, output: bytes, checked: str) -> Steps[bool]:
        if len(output) > self._output_limit:
            raise TokenDataError(
                token_id,
                f"its JSON is {len(output):,} bytes and the limit is {self._output_limit:,}. Store the data elsewhere "
                "and send its address, or raise TASKFLOW_PAYLOAD_LIMIT.",
            )
        shard, digest = self._shard(token_id), schema_digest(checked)
        done: bool | Unchecked = yield operations.tokens.complete_token(token_id, output, digest), shard
        if isinstance(done, Unchecked):
            check_by_schema(token_id, done.schema, output)
            done = yield operations.tokens.complete_token(token_id, output, schema_digest(done.schema)), shard
        return done is True

    def _retrieve(self, token_id: str) -> Steps[Token]:
        token: Token = yield read_token(token_id), self._shard(token_id)
        return token

    def _known(self, token_ids: Sequence[str]) -> Steps[Sequence[Token]]:
        shards = {token_id: shard_of_token(token_id) for token_id in token_ids}
        known = [
            (read_token(each), shard) for each, shard in shards.items() if shard is not None and shard < self._shards
        ]
        found = yield known
        return [token for token in found if isinstance(token, Token)]

    def _wait(self, token_id: str, waiter: Waiter) -> Steps[datetime | None]:
        completed: tuple[datetime | None, bytes]
        completed = yield operations.tokens.watch_token(token_id, waiter), self._shard(token_id)
        timeout, value = completed
        if value:
            yield [(complete_item(waiter, value), shard) for shard in locate(waiter.run_id, self._shards)]
        return timeout

    def _list(self, query: TokenQuery) -> Steps[TokenPage]:
        if query.cursor is not None and not _is_cursor(query.cursor):
            what = f"wait.list_tokens(cursor={shown(query.cursor)})"
            raise WaitError(f"{what}: pass the cursor of a page, or leave it out.")
        tokens = yield from self._placed(replace(query, limit=query.limit + 1))
        page = tokens[: query.limit]
        cursor = page[-1][0] if len(tokens) > len(page) else None
        return TokenPage(tuple(token for _, token in page), cursor)

    def _waiting(self, token_ids: Sequence[str]) -> Steps[Mapping[str, str]]:
        if not token_ids:
            return {}
        reads = yield [(read_waiters(token_id), self._shard(token_id)) for token_id in token_ids]
        waiters = {token_id: checked(read)[1] for token_id, read in zip(token_ids, reads, strict=True)}
        return {token_id: found[0].run_id for token_id, found in waiters.items() if found}

    def _placed(self, query: TokenQuery) -> Steps[Sequence[tuple[str, Token]]]:
        tokens: list[tuple[int, Token]] = []
        for shard in range(self._shards):
            tokens += yield from self._list_shard(query, shard)
        tokens.sort(key=lambda each: (each[0], each[1].id), reverse=True)
        return [(f"{score}:{token.id}", token) for score, token in tokens[: query.limit]]

    def _count_waiting(self) -> Steps[tuple[int, bool]]:
        wanted = operations.tokens.list_tokens(operations.tokens.FIRST, _COUNTED, TokenStatus.WAITING, ())
        pages = yield [(wanted, shard) for shard in range(self._shards)]
        found = [checked(page) for page in pages]
        return sum(len(tokens) for _, tokens in found), any(cursor != operations.tokens.FIRST for cursor, _ in found)

    def _list_shard(self, query: TokenQuery, shard: int) -> Steps[Sequence[tuple[int, Token]]]:
        tokens: list[tuple[int, Token]] = []
        cursor = query.cursor or operations.tokens.FIRST
        while len(tokens) < query.limit:
            wanted = operations.tokens.list_tokens(cursor, query.limit - len(tokens), query.status, query.tags)
            cursor, more = yield wanted, shard
            tokens += more
            if cursor == operations.tokens.FIRST:
                break
        return tokens

    def _shard(self, token_id: str) -> int:
        shard = shard_of_token(token_id)
        if shard is None or shard >= self._shards:
            raise TokenNotFoundError(token_id)
        return shard


def _is_cursor(given: object) -> bool:
    return isinstance(given, str) and _CURSOR.fullmatch(given) is not None
