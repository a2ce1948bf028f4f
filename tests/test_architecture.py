"""The drawing of the house: layers, doors, sizes. The lists are the design; the tests fail when code leaves them."""

import ast
import statistics
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# What stands on one line is a stranger to its neighbours; a module imports only from lines below its own.
LAYERS = (
    ("fhir_gateway.__main__",),
    ("fhir_gateway.cli",),
    ("fhir_gateway.demo",),
    (
        "fhir_gateway.serving",
        "fhir_gateway.loading",
        "fhir_gateway.replaying",
        "fhir_gateway.sending",
        "fhir_gateway.stating",
    ),
    ("fhir_gateway.crew", "fhir_gateway.wire"),
    ("fhir_gateway.app",),
    ("fhir_gateway.opening",),
    ("fhir_gateway.api",),
    ("fhir_gateway.exchange",),
    ("fhir_gateway.identity", "fhir_gateway.population", "fhir_gateway.terminology", "fhir_gateway.graphql"),
    ("fhir_gateway.subscriptions",),
    ("fhir_gateway.records",),
    ("fhir_gateway.store",),
    ("fhir_gateway.search", "fhir_gateway.security"),
    ("fhir_gateway.fhir",),
    ("fhir_gateway.problem", "fhir_gateway.settings", "fhir_gateway.logs"),
)
# Who may import which library; everyone else goes through them.
DOORS = {
    "motor": ("fhir_gateway.store.mongo",),
    "pymongo": ("fhir_gateway.store.mongo",),
    "bson": ("fhir_gateway.store.mongo",),
    "jsonschema_rs": ("fhir_gateway.fhir.validation", "fhir_gateway.fhir.pattern"),
    "graphql": ("fhir_gateway.graphql",),
    "fhir": ("fhir_gateway.fhir.models",),
    "cryptography": ("fhir_gateway.security.seal", "fhir_gateway.security.keys"),
    "joserfc": ("fhir_gateway.security",),
    # Partners are known and sealed to, subscribers are addresses that somebody named: two doors.
    "httpx": ("fhir_gateway.exchange.delivery", "fhir_gateway.subscriptions.hook"),
    "fastapi": ("fhir_gateway.app", "fhir_gateway.api"),
    "starlette": ("fhir_gateway.app", "fhir_gateway.api"),
    "uvicorn": ("fhir_gateway.serving", "fhir_gateway.wire"),
    "msgspec": ("fhir_gateway.fhir.codec",),
    "typer": ("fhir_gateway.cli",),
    "lxml": (
        "adapters.vn_xml",
        "adapters.vn_record",
        "adapters.cda",
        "fhir_gateway.fhir.xml",
        "fhir_gateway.security.xmlsign",
    ),
    "typst": ("fhir_gateway.exchange.slips.printed",),
    "signxml": ("fhir_gateway.security.xmlsign",),
    "fhirpathpy": (),
    "antlr4": (),
    "secantus": (),
}
ADAPTERS = (
    "adapters.hl7v2",
    "adapters.vn_xml",
    "adapters.cda",
    "adapters.tabular",
    "adapters.fhir_bundle",
    "adapters.vn_record",
)
BANNED = {"manager", "helper", "util", "utils", "common", "base", "impl", "info", "process", "handle"}
BROAD = {
    "fhir_gateway.exchange.lanes",  # a lane outlives its jobs
    "fhir_gateway.exchange.worker",
    "fhir_gateway.exchange.aside",  # hands on what it catches, from one thread to another
    "fhir_gateway.api.errors",
    "fhir_gateway.subscriptions.service",
}


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = sorted([*(ROOT / "fhir_gateway").rglob("*.py"), *(ROOT / "adapters").rglob("*.py")])
MODULES = {module_name(file): file for file in FILES}


@cache
def tree(name: str) -> ast.Module:
    return ast.parse(MODULES[name].read_text(encoding="utf-8"))


@cache
def imports(name: str) -> frozenset[str]:
    found = set()
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name if name in MODULES else node.module for name in names}
    return frozenset(found)


def within(name: str, room: str) -> bool:
    return name == room or name.startswith(room + ".")


def level(name: str) -> tuple[int, str] | None:
    return next(((i, room) for i, line in enumerate(LAYERS) for room in line if within(name, room)), None)


def functions(name: str):
    return [n for n in ast.walk(tree(name)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]


def body_lines(function) -> int:
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("name", [n for n in MODULES if n.startswith("fhir_gateway.")])
def test_a_module_imports_only_what_is_below_it(name):
    own = level(name)
    assert own is not None, f"{name} has no place in the drawing"
    for imported in imports(name):
        other = level(imported)
        if other is not None and other[1] != own[1]:
            assert other[0] > own[0], f"{name} imports {imported}"


@pytest.mark.parametrize("name", list(MODULES))
def test_each_library_has_its_door(name):
    for imported in imports(name):
        doors = DOORS.get(imported.partition(".")[0])
        if doors is not None:
            assert any(within(name, door) for door in doors), f"{name} imports {imported}"


@pytest.mark.parametrize("name", [n for n in MODULES if within(n, "adapters")])
def test_adapters_know_neither_the_gateway_nor_each_other(name):
    own = next((adapter for adapter in ADAPTERS if within(name, adapter)), None)
    for imported in imports(name):
        assert not within(imported, "fhir_gateway")
        other = next((adapter for adapter in ADAPTERS if within(imported, adapter)), None)
        assert other in (None, own)


def test_only_the_composition_root_knows_the_adapters_by_name():
    users = {
        n for n in MODULES if within(n, "fhir_gateway") and any(within(i, a) for i in imports(n) for a in ADAPTERS)
    }
    assert users == set()


def test_no_import_cycle():
    graph = {n: {i for i in imports(n) if i in MODULES and i != n} for n in MODULES}
    while leaves := [n for n, needs in graph.items() if not needs & graph.keys()]:
        for leaf in leaves:
            del graph[leaf]
    assert graph == {}


def test_functions_are_short():
    sizes = sorted(body_lines(f) for name in MODULES for f in functions(name))
    too_long = [f"{n}.{f.name}" for n in MODULES for f in functions(n) if body_lines(f) > 60]
    assert too_long == []
    assert statistics.median(sizes) <= 8
    assert sizes[int(len(sizes) * 0.9)] <= 25


def test_files_are_short():
    lengths = {name: len(file.read_text(encoding="utf-8").splitlines()) for name, file in MODULES.items()}
    assert {name: n for name, n in lengths.items() if n > 400} == {}
    assert statistics.median(lengths.values()) <= 120


def test_functions_take_few_parameters():
    def count(function):
        names = [a.arg for a in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
        return len([n for n in names if n not in ("self", "cls")])

    # The flags of a command are its parameters.
    exempt = "fhir_gateway.cli"
    assert [f"{n}.{f.name}" for n in MODULES if n != exempt for f in functions(n) if count(f) > 5] == []


def test_nesting_is_shallow():
    nests = (ast.If, ast.For, ast.While, ast.With, ast.Try, ast.AsyncFor, ast.AsyncWith)

    def depth(node, level=0):
        inner = [depth(child, level + isinstance(node, nests)) for child in ast.iter_child_nodes(node)]
        return max([level, *inner])

    def elif_aware(function):
        for node in ast.walk(function):
            if isinstance(node, ast.If) and len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
                node.orelse = []
        return depth(function)

    deep = [f"{n}.{f.name}" for n in MODULES for f in functions(n) if elif_aware(f) > 4]
    assert deep == []


@pytest.mark.parametrize("name", list(MODULES))
def test_a_module_says_first_what_it_is(name):
    text = ast.get_docstring(tree(name))
    assert text
    assert len(text.splitlines()[0]) >= 15


@pytest.mark.parametrize("name", list(MODULES))
def test_names_are_the_fields_own(name):
    last = name.rpartition(".")[2]
    classes = [n.name for n in ast.walk(tree(name)) if isinstance(n, ast.ClassDef)]
    assert last not in BANNED
    assert not [c for c in classes if any(c.lower().endswith(word) for word in BANNED - {"base"})]


@pytest.mark.parametrize("name", list(MODULES))
def test_only_the_worker_and_the_api_net_catch_everything(name):
    broad = [
        node
        for node in ast.walk(tree(name))
        if isinstance(node, ast.ExceptHandler)
        and not isinstance(node.body[-1], ast.Raise)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException")))
    ]
    assert not broad or name in BROAD


def test_no_file_names_a_registry_or_a_lock():
    names = {file.name for file in ROOT.glob("*")}
    assert not names & {"uv.lock", "poetry.lock", "package-lock.json", "yarn.lock"}
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert "://" not in pins
