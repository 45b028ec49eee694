"""Shows the clients' calls in the reference as they are called, and not as they are declared.

Both clients have one declaration of each call: a flow, or an endpoint (`interpal/api/base.py`,
and a module for each topic beside it). Whoever uses a client sees a method that returns a value,
or is awaited.

Arguments that a docstring does not describe are described by `docs/arguments.py`: of the calls,
and of what else is listed there. A named tuple is shown with its constructor, and a fixture
without what pytest gives it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import griffe

import interpal
import interpal.vault
from docs.arguments import CLIENT, MEANINGS, OTHERS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

CLIENTS = {"client.InterpalClient": False, "async_client.AsyncInterpalClient": True}
FLOWS = "api.base.Operations"
DECLARED_IN = (
    FLOWS,
    "api.account.AccountCalls",
    "api.messages.MessageCalls",
    "api.search.SearchCalls",
    "api.media.MediaCalls",
    "api.social.SocialCalls",
    "api.notifications.NotificationCalls",
    "api.posts.PostCalls",
)
# Methods that are what they are declared as.
PLAIN = ("api.cached.CacheAccess", "api.cached.Views")


class Calls(griffe.Extension):
    """Gives each client the methods that its declarations stand for."""

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        """Called once the whole package has been read."""
        del kwargs
        if pkg.path == "interpal":
            _export(pkg, interpal)
            _export(_module(pkg, "vault"), interpal.vault)
            for path, meanings in OTHERS.items():
                _describe(pkg[path], meanings)
            for path in (*OTHERS, FLOWS):
                _show_numbers(pkg[path])
            for fixture in _module(pkg, "testing").functions.values():
                fixture.parameters = griffe.Parameters()
            for path, awaits in CLIENTS.items():
                client = _class(pkg, path)
                declared = [_class(pkg, base) for base in DECLARED_IN]
                for base in PLAIN:
                    for name, member in _class(pkg, base).members.items():
                        if isinstance(member, griffe.Function):
                            member.docstring = _with_arguments(member, CLIENT)
                        client.set_member(name, member)
                for owner in [client, *declared]:
                    for name, member in list(owner.members.items()):
                        call = _call(name, member, _class(pkg, FLOWS), awaits=awaits)
                        if call is not None:
                            client.set_member(name, call)


def _export(package: griffe.Module, loaded: ModuleType) -> None:
    """Let the public names stand for what they are when the program runs."""
    for name in loaded.__all__:
        home = getattr(getattr(loaded, name), "__module__", None)
        if home is not None:
            package.set_member(name, griffe.Alias(name, f"{home}.{name}"))


def _module(pkg: griffe.Module, path: str) -> griffe.Module:
    found = pkg[path]
    if not isinstance(found, griffe.Module):
        raise TypeError(f"{path} is no module")
    return found


def _class(pkg: griffe.Module, path: str) -> griffe.Class:
    found = pkg[path]
    if not isinstance(found, griffe.Class):
        raise TypeError(f"{path} is no class")
    return found


def _call(
    name: str, member: object, flows: griffe.Class, *, awaits: bool
) -> griffe.Function | None:
    """The method that *member* stands for; None where it is a method or a value already."""
    if name.startswith("_"):
        return None
    kind = "Operation"
    flow = member
    if isinstance(member, griffe.Attribute) and isinstance(member.value, griffe.ExprCall):
        kind = str(member.value.function)
        flow = flows.members.get(str(member.value.arguments[0]).rpartition(".")[2])
    if not isinstance(flow, griffe.Function) or not isinstance(flow.returns, griffe.ExprSubscript):
        return None
    if str(flow.returns.left) not in ("Flow", "Call"):
        return None
    docstring = _with_arguments(flow, CLIENT if flow.parent is flows else MEANINGS)
    call = griffe.Function(
        name,
        lineno=flow.lineno,
        endlineno=flow.endlineno,
        parameters=flow.parameters,
        returns=flow.returns.slice,
        docstring=docstring,
    )
    if docstring is not None:
        docstring.parent = call
    if awaits and kind == "Operation":
        call.labels.add("async")
    return call


def _describe(owner: griffe.Object, meanings: Mapping[str, str]) -> None:
    """Give a section of arguments to a function, or to the constructor and methods of a class."""
    if isinstance(owner, griffe.Class):
        _show_fields(owner)
        made = owner.members.get("__init__")
        for name, member in owner.members.items():
            if isinstance(member, griffe.Function) and not name.startswith("_"):
                member.docstring = _with_arguments(member, meanings)
        if isinstance(made, griffe.Function) and made.docstring is not None:
            owner = made
    if isinstance(owner, (griffe.Class, griffe.Function)):
        owner.docstring = _with_arguments(owner, meanings)


def _show_fields(owner: griffe.Class) -> None:
    """Give a named tuple the constructor that it has when the program runs."""
    loaded = getattr(import_module(owner.path.rpartition(".")[0]), owner.name)
    taken = []
    for name in getattr(loaded, "_fields", ()):
        found = owner.all_members[name]
        field = found.final_target if isinstance(found, griffe.Alias) else found
        if not isinstance(field, griffe.Attribute):
            raise TypeError(f"{owner.path}.{name} is no field")
        kind = griffe.ParameterKind("positional or keyword")
        taken.append(
            griffe.Parameter(name, annotation=field.annotation, kind=kind, default=field.value)
        )
    if taken:
        parameters = griffe.Parameters(griffe.Parameter("self"), *taken)
        owner.set_member("__init__", griffe.Function("__init__", parameters=parameters))


def _show_numbers(owner: griffe.Object) -> None:
    """Let the default of an argument be the number that a constant stands for."""
    for member in (owner, *owner.members.values()):
        if isinstance(member, griffe.Function):
            for parameter in member.parameters:
                if isinstance(parameter.default, griffe.ExprName):
                    home = import_module(parameter.default.canonical_path.rpartition(".")[0])
                    value = getattr(home, parameter.default.name, None)
                    if isinstance(value, (int, float)):
                        parameter.default = repr(value)


def _with_arguments(
    declared: griffe.Function | griffe.Class, meanings: Mapping[str, str]
) -> griffe.Docstring | None:
    """What is said of a call, with a section of its arguments where it has none."""
    said = declared.docstring
    names = [each.name for each in declared.parameters if each.name in meanings]
    if said is None or not names or "Args:" in said.value:
        return said
    starred = {
        griffe.ParameterKind.var_positional: "*",
        griffe.ParameterKind.var_keyword: "**",
    }
    lines = []
    for name in names:
        kind = declared.parameters[name].kind
        stars = "" if kind is None else starred.get(kind, "")
        lines.append(f"    {stars}{name}: {meanings[name]}")
    return griffe.Docstring(
        "\n".join([said.value, "", "Args:", *lines]),
        parser=said.parser,
        parser_options=said.parser_options,
        parent=declared,
    )
