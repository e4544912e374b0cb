"""The names of tokens, for texts that name one: their ids would complete them."""

from collections.abc import Mapping, Sequence

from taskflow.definition.calls.tokens import Token
from taskflow.engine.engine import Engine
from taskflow.texts import visible


async def names_of(engine: Engine, token_ids: Sequence[str]) -> Mapping[str, str]:
    """Return the names of tokens by their ids. Those that have none, or that the store has lost, are left out."""
    tokens = await engine.tokens.aretrieve_known(token_ids) if token_ids else ()
    return {token.id: name for token in tokens if (name := name_of(token))}


def name_of(token: Token | None) -> str:
    """Return the first tag of a token, which is its name in the list of tokens, too."""
    return visible(token.tags[0]) if token is not None and token.tags else ""
