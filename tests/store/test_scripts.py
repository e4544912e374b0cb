"""The Lua files: what their headers say, how the loader joins them, and that the servers take them."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

import taskflow.store
from taskflow.store.connections import lua_code, scripts
from tests.support.bench import Bench

OPERATIONS = Path(taskflow.store.__file__).parent / "operations"
FIRST = 7
"""The place of an operation's own first argument. Those before it are the same for every script."""
FILES = [*scripts.names(), *(f"lib/{part}" for part in scripts.names("lib"))]
TEXT = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'")
LOCALS = re.compile(
    r"\blocal (?!function)([\w, \n]+?)(?: =|(?<!,)$)|\bfunction ?(\w+)?\S*?\(([^)]*)\)|\bfor ([\w, ]+) (?:=|in)",
    re.MULTILINE,
)
OF_LUA = {
    "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "if", "in", "local", "nil", "not", "or",
    "repeat", "return", "then", "true", "until", "while", "cjson", "ipairs", "math", "pairs", "redis", "string",
    "table", "tonumber", "tostring", "unpack",
}  # fmt: skip


def header_of(name: str) -> str:
    """Return the comments of a file."""
    return "\n".join(re.findall(r"--.*", scripts.source(name)))


def code_of(name: str) -> str:
    """Return a file as the server gets it."""
    return lua_code.code(scripts.source(name)) if "/" in name else lua_code.operation(scripts.source(name))


def locals_of(code: str) -> set[str]:
    """Return the names of a file's own variables, parameters and functions."""
    declared = {
        name for found in LOCALS.findall(TEXT.sub('""', code)) for each in found for name in re.findall(r"\w+", each)
    }
    return declared - OF_LUA


def owners() -> dict[str, str]:
    """Return the part that defines each name."""
    return {name: part for part, code in scripts.parts().items() for name in lua_code.defined(code)}


def calls() -> dict[str, tuple[int, bool]]:
    """Return how many arguments the Python operation of each script passes, and whether more may follow these."""
    found: dict[str, tuple[int, bool]] = {}
    for path in OPERATIONS.rglob("*.py"):
        for function in ast.walk(ast.parse(path.read_text())):
            if not isinstance(function, ast.FunctionDef):
                continue
            tuples = {
                node.targets[0].id: node.value
                for node in ast.walk(function)
                if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
            }
            for call in ast.walk(function):
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Operation":
                    given = tuples[call.args[1].id] if isinstance(call.args[1], ast.Name) else call.args[1]
                    values = given.elts if isinstance(given, ast.Tuple) else [ast.Starred(given)]
                    single = [each for each in values if not isinstance(each, ast.Starred)]
                    for name in set(re.findall(r"'(\w+)'", ast.unparse(call.args[0]))) & {*scripts.names()}:
                        found[name] = (len(single), len(single) < len(values))
    return found


@pytest.mark.parametrize("name", scripts.names())
def test_a_script_is_short_and_documents_what_it_gets(name: str) -> None:
    """At most 60 lines; its arguments are named without a gap, a list last; and its replies."""
    text = scripts.source(name)
    single, lists = lua_code.arguments(text)
    assert len(text.splitlines()) <= 60
    assert "Returns {" in header_of(name) or "Returns {" in text
    assert [*single.values(), *lists.values()] == list(range(FIRST, FIRST + len(single) + len(lists)))
    assert len(lists) <= 1
    assert "ARGV[" not in lua_code.code(text), "arguments are read by name"


def test_the_header_of_a_script_names_as_many_arguments_as_its_operation_passes() -> None:
    """A script whose header is wrong reads an argument that is another."""
    passed = calls()
    assert passed.keys() == set(scripts.names())
    for name, (count, is_open) in passed.items():
        single, lists = lua_code.arguments(scripts.source(name))
        if name == "trigger_run":
            values = re.search(r"local (id, [\w,\s]+) = unpack\(ARGV, at, at \+ 13\)", code_of("lib/make"))
            assert values
            assert len(values[1].split(",")) == count == 14
        elif name in ("declare", "trigger_runs"):  # their operations pass a list of a known, or a computed, length
            assert is_open
            assert len(single) >= count
        else:
            assert (len(single), bool(lists)) == (count, is_open), name


@pytest.mark.parametrize("name", FILES)
def test_a_header_names_the_keys_that_its_file_derives(name: str) -> None:
    """The keys of a script cannot be seen from its call."""
    assert not [key for key in re.findall(r'base \.\. "(:[a-z_]+)', code_of(name)) if key not in header_of(name)]


@pytest.mark.parametrize("name", FILES)
def test_a_name_has_one_meaning_and_is_known(name: str) -> None:
    """A variable named like a part's function would join that part; an unknown name fails on the server only."""
    code, part, known = code_of(name), name.removeprefix("lib/"), owners()
    mine = locals_of(code)
    assert not {each for each in mine if known.get(each, part) != part}
    assert not lua_code.used(code) - mine - known.keys() - OF_LUA


@pytest.mark.parametrize("name", scripts.names())
def test_a_script_is_joined_to_the_parts_that_it_calls_and_no_others(name: str) -> None:
    """Each part stands behind those that it calls, and before one that calls it."""
    parts, known = scripts.parts(), owners()
    joined = lua_code.joined(code_of(name), parts)
    callers = [*(parts[part] for part in joined), code_of(name)]
    for index, code in enumerate(callers):
        called = {known[each] for each in lua_code.used(code) & known.keys()} - set(joined[index : index + 1])
        assert called <= set(joined[:index])
    for index, part in enumerate(joined):
        assert any(lua_code.used(code) & set(lua_code.defined(parts[part])) for code in callers[index + 1 :]), part


def test_every_part_and_every_function_is_used() -> None:
    """A part that no script calls is left over from one."""
    words = Counter(re.findall(r"\w+", "\n".join(map(code_of, FILES))))
    joined = {part for name in scripts.names() for part in lua_code.joined(code_of(name), scripts.parts())}
    assert joined == set(scripts.names("lib"))
    assert not [name for name in owners() if words[name] < 2 and name != "begin"]  # which every library calls


def test_no_part_of_a_script_remembers_one_call_in_the_next() -> None:
    """The server makes a script once: what stands outside of its functions is constant, or set by ``begin``."""
    codes = [code for part, code in scripts.parts().items() if part != "base"]
    kept = {name for code in codes for name in re.findall(r"^local ([^A-Z\s]\w*) ", code, re.MULTILINE)} - {"function"}
    assert kept == {"cut_templates"}


def test_each_server_takes_every_script(one_bench: Bench) -> None:
    """Lua has at most 200 variables and 60 outer ones a function; only the server counts them."""
    for name in scripts.names():
        command, load, text = scripts.script(name).load
        assert one_bench.redis(command, load, "REPLACE", text) == scripts.script(name).function


def test_parts_that_call_each_other_in_a_circle_are_refused() -> None:
    """No order would let both see the other's functions."""
    parts = {"one": "local function first() second() end", "two": "local function second() first() end"}
    with pytest.raises(ValueError, match="one -> two -> one"):
        lua_code.joined("first()", parts)


def test_a_name_that_two_parts_define_is_refused() -> None:
    """The later one would hide the other."""
    with pytest.raises(ValueError, match="both define first"):
        lua_code.joined("first()", {"one": "local first = 1", "two": "local function first() end"})


def test_fields_are_read_by_position_within_their_block() -> None:
    """Names cost nothing at run time, and another block's variable of the same name is another one."""
    text = """
if done then
  local run = fields(run_key(id), "status",
    "claim") -- the run
  redis.call("PUBLISH", "run.claim", run.claim or run.status)
end
local run = fields(key, "node")
return run.node
"""
    assert lua_code.code(text).splitlines() == [
        "if done then",
        '  local run = redis.call("HMGET", run_key(id), "status", "claim")',
        '  redis.call("PUBLISH", "run.claim", run[2] or run[1])',
        "end",
        'local run = redis.call("HMGET", key, "node")',
        "return run[1]",
    ]


@pytest.mark.parametrize("use", ["leave(run)", "run.node = nil", "return run"])
def test_fields_that_are_handed_on_or_changed_have_names_at_run_time(use: str) -> None:
    """Another function cannot know their positions."""
    code = lua_code.code(f'local run = fields(key, "node", "pid")\n{use}')
    assert code.splitlines()[1:] == ["run = { node = run[1], pid = run[2] }", use]


def test_a_field_that_was_not_read_is_refused() -> None:
    """It would be nil on the server."""
    with pytest.raises(ValueError, match=r"run\.claim"):
        lua_code.code('local run = fields(key, "status")\nreturn run.claim')


def test_arguments_are_declared_by_the_header_alone() -> None:
    """A comment in the code declares nothing."""
    text = "-- Close waits.\n-- ARGV[7] id of the run  [8...] names\nreturn id -- [9] more\n"
    assert lua_code.operation(text).splitlines() == [
        "local function operation()",
        "local id = ARGV[7]",
        "local names = arguments_from(8)",
        "return id",
        "end",
    ]
