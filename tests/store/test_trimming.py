"""Lists that the store trims: trimming keeps up with any rate, in scripts of a bounded size."""

from taskflow.store import operations
from taskflow.store.operations.nodes import FORGOTTEN_AT_ONCE
from taskflow.store.sync_store import Store
from taskflow.upkeep.passes import Upkeep
from tests.support.bench import HEARTBEAT, LEASE, Bench


def test_one_sweep_forgets_all_finished_runs_that_have_left_the_store(one_bench: Bench) -> None:
    """However many they are, and although older ones are still there, because the history has not taken them yet."""
    bench = one_bench
    bench.node()
    kept = [bench.trigger() for _ in range(3)]
    for run_id in kept:
        bench.finish(bench.claim(run_id))
    finished = bench.key("finished")
    for start in range(0, 20 * FORGOTTEN_AT_ONCE, FORGOTTEN_AT_ONCE):
        gone = [part for n in range(FORGOTTEN_AT_ONCE) for part in (bench.now[0] + start + n, f"run_gone{start + n}")]
        bench.redis("ZADD", finished, *gone)
    assert isinstance(bench.store, Store)
    Upkeep(bench.store, 0, LEASE, HEARTBEAT, None, lambda _: None).sweep()
    assert set(bench.redis("ZRANGE", finished, 0, -1)) == set(kept)
    assert bench.run(operations.nodes.forget_finished()) == 0
