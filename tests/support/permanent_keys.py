"""The keys without a TTL, because live runs, queues and nodes need them. Every other key has a TTL."""

import re

PERMANENT = re.compile(
    r"\{tf:[^}]+\}:("
    r"live|finished|delayed|canvas|queues|nodes|ticket_queues|deserted|suspects|templates|tasks|task_details|schemas|awaiting:.+|upkeep|events|finishes|load|timers|effects|hooks|environment(:slots|:waiting)?"
    r"|queue:[^:]+(:slots(:.+)?|:holders|:turns|:classes|:count:[^:]+|:pending:.+)?"
    r"|blocked:[^:]+|tickets:[^:]+|unclaimed:[^:]+|serving:[^:]+|versions:[^:]+|knows:[^:]+"
    r"|node:[^:]+(:runs)?|children:.+|waits:.+|journal:.+|waiters:.+|streams:.+|stream:.+|input:.+"
    r"|schedules|schedule:.+|schedule_ids|schedule_changes|declared|declarations|bulk_actions|bulk_due|api_keys|api_key:[0-9a-f]+|users|tokens|token:.+|token_key:.+"
    r")"
)


def is_permanent(key: str, *, is_live_run: bool = False) -> bool:
    """Whether a key may be without a TTL. A run's hash and its idempotency key may while the run is live."""
    return bool(PERMANENT.fullmatch(key)) or is_live_run
