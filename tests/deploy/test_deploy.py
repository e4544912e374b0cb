"""The files in deploy/: valid, safe, and in agreement with the machine presets."""

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from ruamel.yaml import YAML

from taskflow.definition.machine import DEFAULT_MACHINE, PRESETS
from taskflow.worker.launch.plan import fitting
from taskflow.worker.node.host import Host
from tests.support.processes import spawn, stop_group
from tests.support.servers import HOST, Client, RedisServer, find_valkey, free_port
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = DEPLOY / "compose.yml"
DOCKERFILE = DEPLOY / "docker" / "Dockerfile"
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")
UNITS = {"M": 1024**2, "G": 1024**3}
SECRETS = {"TASKFLOW_REDIS_PASSWORD": "secret", "FLOWER_BASIC_AUTH": "ada:pass", "FLOWER_COOKIE_SECRET": "c" * 64}


def load(path: Path) -> dict[str, Any]:
    """Return a YAML file's content, anchors and merges resolved."""
    content: dict[str, Any] = YAML(typ="safe", pure=True).load(path)  # pyright: ignore[reportUnknownMemberType]
    return content


def filled_in(text: str, environment: Mapping[str, str]) -> str:
    """Replace variables as Compose does."""

    def value(match: re.Match[str]) -> str:
        name, operator, rest = match.groups()
        return environment.get(name) or (rest if operator == "-" else pytest.fail(f"{name} is not set"))

    return VARIABLE.sub(value, text)


def check(tool: str, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run one of the environment's own checkers."""
    program = Path(sys.executable).with_name(tool)
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=30, cwd=ROOT)


def check_compose(path: Path) -> "subprocess.CompletedProcess[str]":
    """Check a compose file against the Compose specification."""
    return check("check-jsonschema", "--builtin-schema", "vendor.compose-spec", path)


SERVICES: dict[str, dict[str, Any]] = load(COMPOSE)["services"]
WORKERS = {name: service for name, service in SERVICES.items() if service["command"][:2] == ["taskflow", "worker"]}


def option(service: Mapping[str, Any], name: str) -> str:
    """Return the value of an option in a service's command."""
    command: list[str] = service["command"]
    return command[command.index(name) + 1]


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """Return a Dockerfile's instructions with their arguments, one a line."""
    lines = dockerfile.replace("\\\n", " ").splitlines()
    parts = (line.split(None, 1) for line in lines if line.strip() and not line.startswith("#"))
    return [(name.upper(), rest) for name, rest in parts]


def test_the_compose_file_fits_the_specification() -> None:
    """A key that Compose does not know is a setting that silently is not there."""
    checked = check_compose(COMPOSE)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    "right, wrong",
    [
        ("stop_grace_period: 1m", "stop_grace_perod: 1m"),
        ("restart: unless-stopped", "restart: [unless-stopped]"),
        ("profiles: [micro]", "profiles: micro"),
        ("limits: {cpus", "limitz: {cpus"),
    ],
    ids=["unknown key", "wrong type", "text for a list", "unknown key in the limits"],
)
def test_a_mistake_in_the_compose_file_is_found(right: str, wrong: str, tmp_path: Path) -> None:
    """A checker that accepts everything would prove nothing."""
    text = COMPOSE.read_text()
    assert right in text
    broken = tmp_path / "compose.yml"
    broken.write_text(text.replace(right, wrong))
    checked = check_compose(broken)
    assert checked.returncode == 1
    assert wrong.split(":")[0] in checked.stdout + checked.stderr or "is not" in checked.stdout + checked.stderr


def test_every_machine_class_has_a_worker_service_of_its_name() -> None:
    """A class without a worker leaves its runs queued for ever."""
    assert {name: option(service, "--machine") for name, service in WORKERS.items()} == {name: name for name in PRESETS}


def test_the_classes_that_the_example_tasks_use_are_started_without_a_profile() -> None:
    """`docker compose up` alone must be able to run every example."""
    used = set(re.findall(r'\bmachine="([^"]+)"', (ROOT / "workers" / "tasks.py").read_text())) | {DEFAULT_MACHINE}
    assert {name for name, service in WORKERS.items() if "profiles" not in service} >= used


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_container_is_as_large_as_the_runs_it_takes(name: str) -> None:
    """With smaller limits, runs would be throttled or killed below the size that their task asked for."""
    machine = PRESETS[name]
    limits = WORKERS[name]["deploy"]["resources"]["limits"]
    cores, memory = float(limits["cpus"]), int(limits["memory"][:-1]) * UNITS[limits["memory"][-1]]
    assert "--concurrency" not in WORKERS[name]["command"], "the worker reads its limits itself"
    taken = fitting(machine, Host(cores, memory))
    assert taken * machine.cpu == cores
    assert memory - taken * machine.memory_bytes >= 512 * UNITS["M"]


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_container_stops_gently_and_comes_back(name: str) -> None:
    """Runs get time to finish; a crashed worker is started again; something reaps orphans."""
    service = WORKERS[name]
    assert service["stop_grace_period"] == "1m"
    assert service["restart"] == "unless-stopped"
    assert service["init"] is True
    assert service["healthcheck"]["test"][0] == "CMD"
    assert service["depends_on"] == {"valkey": {"condition": "service_healthy"}}
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]


def test_nothing_is_published_beyond_this_host() -> None:
    """Flower starts tasks and the store is the truth: neither belongs on a network by default."""
    ports: list[str] = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == 2
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_secrets_come_from_the_environment_and_have_no_default() -> None:
    """A password in a file, or a default one, is one that everybody knows."""
    used = [match.groups() for match in VARIABLE.finditer(COMPOSE.read_text())]
    secret = {name for name, _, _ in used if re.search("PASSWORD|SECRET|AUTH", name)}
    assert secret == {"TASKFLOW_REDIS_PASSWORD", "FLOWER_BASIC_AUTH", "FLOWER_COOKIE_SECRET"}
    assert {operator for name, operator, _ in used if name in secret} == {"?"}
    example = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", (DEPLOY / ".env.example").read_text(), re.MULTILINE))
    assert {name for name, _, _ in used} == set(example), ".env.example explains every variable"
    assert {name: example[name] for name in secret} == dict.fromkeys(secret, "")
    defaults = {name: default for name, operator, default in used if operator == "-"}
    assert {name: example[name] for name in defaults} == defaults
    assert "UNAUTHENTICATED" not in COMPOSE.read_text()


def test_a_missing_secret_stops_compose() -> None:
    """`:?` makes Compose refuse to start instead of starting without a password."""
    config: str = load(COMPOSE)["configs"]["valkey"]["content"]
    assert "requirepass ${TASKFLOW_REDIS_PASSWORD:?" in config


def test_the_stores_configuration_asks_for_a_password_and_keeps_its_data(tmp_path: Path) -> None:
    """The very text that the container gets, read by a real Valkey."""
    config: str = load(COMPOSE)["configs"]["valkey"]["content"]
    text = filled_in(config, SECRETS).replace("dir /data", f"dir {tmp_path}")
    path, port, password = tmp_path / "valkey.conf", free_port(), SECRETS["TASKFLOW_REDIS_PASSWORD"]
    path.write_text(text)
    server = spawn([find_valkey(), path, "--bind", HOST, "--port", str(port)])
    try:
        with contextlib.closing(connect(port, password)) as client:
            wait_until(lambda: answers(client), "the configured Valkey")
            wanted = {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction"}
            assert client.execute_command("CONFIG", "GET", *wanted) == wanted
        with contextlib.closing(connect(port)) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
    finally:
        stop_group(server)


def connect(port: int, password: str | None = None) -> Client:
    """Return a client of a store on this host."""
    return redis.Redis(host=HOST, port=port, password=password, decode_responses=True)


def answers(client: Client) -> bool:
    """Whether a server is up."""
    try:
        return client.ping()
    except redis.ConnectionError:
        return False


@pytest.fixture
def flower(valkey: RedisServer, tmp_path: Path) -> Iterator[str]:
    """Flower as the compose file starts it, on another port."""
    service = SERVICES["flower"]
    given = {name: filled_in(value, SECRETS) for name, value in service["environment"].items()}
    port, log = free_port(), tmp_path / "flower.log"
    with log.open("wb") as output:
        process = spawn(
            [sys.executable, "-m", *service["command"][:-3], f"--address={HOST}", f"--port={port}"],
            env={"PATH": os.defpath, "PYTHONPATH": str(ROOT), **given, "TASKFLOW_REDIS_URL": valkey.url},
            cwd=ROOT,
            output=output,
        )
    url = f"http://{HOST}:{port}"
    try:
        wait_until(lambda: is_healthy(url), f"Flower to answer; its log: {log}", timeout=25, interval=0.1)
        yield url
    finally:
        stop_group(process)


def is_healthy(url: str) -> bool:
    """Whether Flower's health check, which the container's uses, is good."""
    try:
        return httpx.get(f"{url}/healthcheck").status_code == 200
    except httpx.TransportError:
        return False


def test_flower_asks_for_the_login_of_the_environment(flower: str) -> None:
    """The pages show payloads and the API starts tasks."""
    for address in ("/", "/api/workers"):
        assert httpx.get(flower + address).status_code == 401
        assert httpx.get(flower + address, auth=("ada", "wrong")).status_code == 401
    assert httpx.get(f"{flower}/workers", auth=("ada", "pass")).status_code == 200


@pytest.mark.parametrize("name", [name for name, service in WORKERS.items() if "profiles" not in service])
def test_a_worker_services_command_is_one_that_the_program_knows(name: str) -> None:
    """A renamed option or setting would only be noticed by a container that restarts for ever."""
    service = WORKERS[name]
    given = {key: filled_in(value, SECRETS) for key, value in service["environment"].items()}
    shown = subprocess.run(
        [sys.executable, "-m", "taskflow.cli.main", *service["command"][1:], "--show"],
        env={"PATH": os.defpath, "PYTHONPATH": str(ROOT), **given},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert shown.returncode == 0, shown.stderr
    assert f"dev.{name}.process" in shown.stdout


def test_the_dockerfile_is_sound() -> None:
    """hadolint knows what goes wrong in images."""
    checked = check("hadolint", DOCKERFILE)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    "right, wrong, rule",
    [("FROM python:3.11-slim", "FROM python", "DL3006"), ("WORKDIR /app", "WORKDIR app", "DL3000")],
    ids=["no version", "relative folder"],
)
def test_a_mistake_in_the_dockerfile_is_found(right: str, wrong: str, rule: str, tmp_path: Path) -> None:
    """A checker that accepts everything would prove nothing."""
    text = DOCKERFILE.read_text()
    assert right in text
    broken = tmp_path / "Dockerfile"
    broken.write_text(text.replace(right, wrong))
    checked = check("hadolint", broken)
    assert checked.returncode == 1
    assert rule in checked.stdout


def test_the_container_is_not_root_and_needs_no_shell() -> None:
    """A task that breaks out of Python must not be root; a shell as process 1 would swallow SIGTERM."""
    final = DOCKERFILE.read_text().rpartition("\nFROM ")[2]
    found = instructions(f"FROM {final}")
    assert [rest for name, rest in found if name == "USER"] == ["10001:10001"]
    assert "10001" in next(rest for name, rest in found if name == "RUN" and "useradd" in rest)
    names = [name for name, _ in found]
    assert names.index("COPY") < names.index("USER"), "the code belongs to root: the container cannot change it"
    commands = [rest for name, rest in found if name in ("CMD", "ENTRYPOINT")]
    assert [json.loads(command)[0] for command in commands] == ["taskflow"]
    assert [service["user"] for service in SERVICES.values() if "user" in service] == []


def test_the_image_gets_what_it_copies_and_nothing_else() -> None:
    """The builder sees only what the ignore file lets through, so neither .env nor .git can end up in an image."""
    copies = [rest.split() for name, rest in instructions(DOCKERFILE.read_text()) if name == "COPY"]
    sources = {source for words in copies if not words[0].startswith("--from") for source in words[:-1]}
    ignore = (DEPLOY / "docker" / "Dockerfile.dockerignore").read_text().splitlines()
    rules = [line for line in ignore if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == sources
    assert [source for source in sources if not (ROOT / source).exists()] == []


def test_the_yaml_is_tidy() -> None:
    """Duplicate keys and wrong indentation are mistakes that YAML accepts."""
    checked = check("yamllint", "--strict", "--config-file", DEPLOY / ".yamllint.yaml", DEPLOY)
    assert checked.returncode == 0, checked.stdout


def test_untidy_yaml_is_found(tmp_path: Path) -> None:
    """A checker that accepts everything would prove nothing."""
    broken = tmp_path / "broken.yml"
    broken.write_text("a: 1\na: 2\n")
    checked = check("yamllint", "--strict", "--config-file", DEPLOY / ".yamllint.yaml", broken)
    assert checked.returncode == 1
    assert "duplication of key" in checked.stdout
