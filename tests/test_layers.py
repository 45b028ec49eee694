"""Imports go down only, layer to layer; and nothing heavy is loaded before it is needed."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "interpal"

# From the bottom up, each layer with what it holds. A module may import from the layers below
# its own, and from its own. A package stands for all that is in it.
LAYERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "foundation",
        (
            "interpal._version",
            "interpal._lazy",
            "interpal._text",
            "interpal._log",
            "interpal._clock",
            "interpal._dictlike",
            "interpal._hidden",
            "interpal._tuples",
            "interpal.exceptions",
        ),
    ),
    # interpal.vault stores: it takes nothing from its parent but the foundation.
    ("files", ("interpal.vault.files",)),
    ("format", ("interpal.vault.format",)),
    ("stores", ("interpal.vault.stores",)),
    ("keys", ("interpal.vault.keys",)),
    ("core", ("interpal.vault.core",)),
    ("health", ("interpal.vault.health",)),
    (
        "vault",
        (
            "interpal.vault.vault",
            "interpal.vault.copying",
            "interpal.vault.hardening",
            "interpal.vault.one_line",
        ),
    ),
    ("command line", ("interpal.vault.cli",)),
    ("interpal.vault", ("interpal.vault.__main__", "interpal.vault")),
    # interpal.sessions keeps a session alive over it.
    ("transport", ("interpal.transport",)),
    ("session", ("interpal.session",)),
    ("sessions", ("interpal.sessions", "interpal._worker")),
    # What is Interpals about it, and what the site offers.
    ("session manager", ("interpal.session_manager",)),
    ("flows", ("interpal.flows",)),
    ("api", ("interpal.api",)),
    # Nothing of it is loaded before it is asked for.
    ("live", ("interpal.live",)),
    (
        "clients",
        (
            "interpal._aiohttp",
            "interpal._requests",
            "interpal.client",
            "interpal.async_client",
            "interpal.sandbox",
        ),
    ),
    ("bots", ("interpal.ext",)),
    ("bridges", ("interpal.bridges",)),
    ("command", ("interpal.cli", "interpal.__main__")),
    ("interpal", ("interpal.testing", "interpal")),
)
FOUNDATION = set(LAYERS[0][1])


def layer_of(module: str) -> int:
    """The layer of a module, by its own name or by that of the package it is in."""
    name = module
    while name:
        for layer, (_, members) in enumerate(LAYERS):
            if name in members:
                return layer
        name = name.rpartition(".")[0]
    raise AssertionError(f"{module} has no layer: give it one in LAYERS")


def modules() -> list[tuple[str, Path]]:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = ["interpal", *path.relative_to(PACKAGE).with_suffix("").parts]
        if parts[-1] == "__init__":
            parts.pop()
        found.append((".".join(parts), path))
    return found


# Calls that import the module that they name.
LATE = ("LateModule", "late_members", "import_module", "importlib.import_module")


def imports_of(path: Path) -> set[str]:
    """Every module of the package that a file imports, also inside functions and for typing."""
    names = {module for module, _ in modules()}
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the layer"
            base = node.module or ""
            found.update(
                f"{base}.{alias.name}" if f"{base}.{alias.name}" in names else base
                for alias in node.names
                # The version is in the foundation, where the package has it from.
                if (base, alias.name) != ("interpal", "__version__")
            )
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in LATE:
            found.update(str(n.value) for n in node.args if isinstance(n, ast.Constant))
    return {name for name in found if name == "interpal" or name.startswith("interpal.")}


@pytest.mark.parametrize(("module", "path"), modules(), ids=lambda value: str(value)[-40:])
def test_imports_go_down_only(module: str, path: Path) -> None:
    if module in ("interpal", "interpal.vault"):
        return  # The packages name what is below them, when it is asked for.
    own = layer_of(module)
    for imported in imports_of(path):
        if imported == "interpal.vault":
            assert own >= layer_of("interpal.vault"), (
                f"{module} imports the package, not the module"
            )
        assert layer_of(imported) <= own, f"{module} imports {imported}, which is above it"


def runtime_imports(path: Path, names: set[str]) -> set[str]:
    """What a file imports when it runs: also in functions, and by `LateModule` and its like."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        children = ast.iter_child_nodes(node)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            children = iter(node.orelse)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            found.update(inside & names or {str(node.module)})
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in LATE:
            found.update(str(n.value) for n in node.args if isinstance(n, ast.Constant))
        for child in children:
            visit(child)

    visit(ast.parse(path.read_text(encoding="utf-8")))
    return found & names


def test_no_modules_import_each_other() -> None:
    names = {module for module, _ in modules()} - {"interpal", "interpal.vault"}
    imports = {m: runtime_imports(path, names) for m, path in modules() if m in names}

    def reached(module: str) -> set[str]:
        seen: set[str] = set()
        waiting = list(imports[module])
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                waiting += imports[name]
        return seen

    reach = {module: reached(module) for module in imports}
    circles = {
        tuple(sorted(other for other in reach[module] if module in reach[other]))
        for module in reach
        if module in reach[module]
    }
    assert not circles


def test_the_vault_takes_from_its_parent_only_the_foundation() -> None:
    for module, path in modules():
        if module.startswith("interpal.vault"):
            outside = {name for name in imports_of(path) if not name.startswith("interpal.vault")}
            assert outside <= FOUNDATION, f"{module} imports {outside - FOUNDATION}"


# What keeps the sessions of other sites: loaded by those who use it.
OTHER_SITES = (
    "interpal.bridges",
    "httpx",
    "interpal.sessions.kept_clients",
    "interpal.sessions.keeping",
    "interpal.sessions.jars",
    "interpal.sessions.with_aiohttp",
    "interpal.sessions.with_httpx",
    "interpal.sessions.with_requests",
    "keyring",
)
HEAVY = (
    *OTHER_SITES,
    "aiohttp",
    "argon2",
    "asyncio",
    "click",
    "cryptography",
    "dataclasses",
    "logging",
    "platformdirs",
    "redis",
    "requests",
    "rich",
    "sqlite3",
    "urllib3",
)


def loaded_after(code: str) -> set[str]:
    script = f"{code}\nimport sys\nprint(*(m for m in {HEAVY!r} if m in sys.modules))"
    # What measures coverage would load some of it itself.
    plain = {name: text for name, text in os.environ.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=plain
    )
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_after("import interpal, interpal.vault") == set()


def test_a_session_of_requests_is_kept_without_the_other_libraries(tmp_path: Path) -> None:
    code = f"""
import requests
from interpal.sessions import keep
keep(requests.Session(), "forum", {str(tmp_path / "v.json")!r}, login=print).close()
"""
    others = {"httpx", "aiohttp", "keyring", "interpal.sessions.with_httpx", "asyncio"}
    assert not loaded_after(code) & others


def test_naming_the_client_loads_no_http_library() -> None:
    assert loaded_after("from interpal import InterpalClient") <= {"cryptography"}


def test_a_resume_with_a_raw_key_loads_only_what_it_uses(tmp_path: Path) -> None:
    code = f"""
import datetime
from interpal import SessionManager, InterpalClient
m = SessionManager({str(tmp_path / "v.json")!r}, key=bytes(32), username="maple_ink")
m.save_session("cookie", username="maple_ink")
s = m.load_session()
m.update(s, s.replace(last_validated_at=s.created_at, origin="https://api.interpals.net"))
c = InterpalClient(
    "maple_ink", "x", persist_session=True, session_file={str(tmp_path / "v.json")!r},
    vault_key=bytes(32), revalidate_after=3600,
)
assert c.is_authenticated
"""
    assert loaded_after(code) == {"cryptography"}


def test_only_the_command_line_and_the_sandbox_print() -> None:
    for module, path in modules():
        if module.startswith(("interpal.vault.cli", "interpal.sandbox")):
            continue
        calls = [
            node
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "print"
        ]
        assert not calls, f"{module} prints"
