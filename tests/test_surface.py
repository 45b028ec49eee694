"""The public surface: what is there, under which names, and that it does not change unseen."""

from __future__ import annotations

import ast
import builtins
import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, get_type_hints

import pytest

import interpal
import interpal.sessions
import interpal.vault
from interpal import exceptions
from interpal.api.calls import MANAGERS

if TYPE_CHECKING:
    from types import ModuleType

CONSTRUCTOR = (
    "username password session_cookie auth_token auto_login user_agent persist_session "
    "session_file session_expiration_hours max_messages cache_users cache_threads "
    "weak_references | vault_passphrase vault_key store revalidate_after base_url timeout "
    "max_retries min_interval lock_timeout on_event expected_vault_id proxy verify"
)

METHODS = {
    "archive_thread",
    "auth",
    "block_user",
    "bookmark_user",
    "bot_id",
    "clear_caches",
    "clear_message_cache",
    "connect_websocket",
    "disconnect_websocket",
    "event",
    "is_websocket_connected",
    "live",
    "start",
    "start_websocket",
    "stop_websocket",
    "clear_saved_session",
    "clear_user_cache",
    "close",
    "create_album",
    "create_comment",
    "create_post",
    "create_trip",
    "delete",
    "delete_album",
    "delete_comment",
    "delete_message",
    "delete_notification",
    "delete_photo",
    "delete_post",
    "delete_thread",
    "delete_trip",
    "export_session",
    "get",
    "get_account",
    "get_activity",
    "get_album",
    "get_blocked_users",
    "get_bookmarks",
    "get_cache_stats",
    "get_cached_message",
    "get_cached_user",
    "get_comments",
    "get_counters",
    "get_feed",
    "get_friends",
    "get_likes",
    "get_my_trips",
    "get_nearby_users",
    "get_notifications",
    "get_online_users",
    "get_photo",
    "get_photo_count",
    "get_post",
    "get_relations",
    "get_self",
    "get_session_info",
    "get_settings",
    "get_suggestions",
    "get_thread_messages",
    "get_threads",
    "get_unread_count",
    "get_upload_status",
    "get_user",
    "get_user_albums",
    "get_user_photos",
    "get_user_thread",
    "get_user_trips",
    "get_views",
    "http",
    "import_session",
    "is_authenticated",
    "like_content",
    "login",
    "logout",
    "mark_all_notifications_read",
    "mark_all_read",
    "mark_notification_read",
    "mark_thread_viewed",
    "max_messages",
    "media",
    "messages",
    "notifications",
    "persisted",
    "post",
    "posts",
    "put",
    "read_message",
    "realtime",
    "register_push_token",
    "remove_bookmark",
    "request",
    "reset_view_stats",
    "search",
    "search_by_location",
    "search_users",
    "send_gif",
    "send_message",
    "send_message_correction",
    "send_photo",
    "send_photo_message",
    "session",
    "set_typing",
    "social",
    "start_conversation",
    "state",
    "unarchive_thread",
    "unblock_user",
    "unlike_content",
    "unregister_push_token",
    "update_album",
    "update_comment",
    "update_post",
    "update_self",
    "update_settings",
    "update_trip",
    "upload_photo",
    "upload_photo_async",
    "upload_photo_with_token",
    "user",
    "validate_session",
    "wait_for_upload",
}
ASYNC_TWINS = {
    "aclear_saved_session",
    "aget_session_info",
    "alogin",
}


@pytest.mark.parametrize("module", [interpal, interpal.sessions, interpal.vault])
def test_every_public_name_is_there_and_in_order(module: ModuleType) -> None:
    names = module.__all__
    assert names == sorted(names)
    assert dir(module) == names
    for name in names:
        assert getattr(module, name) is not None
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        module.nothing_of_the_kind  # noqa: B018


@pytest.mark.parametrize("module", [interpal, interpal.sessions, interpal.vault])
def test_tools_see_the_names_that_the_program_sees(module: ModuleType) -> None:
    stub = ast.parse(Path(str(module.__file__)).with_suffix(".pyi").read_text(encoding="utf-8"))
    imported = {
        alias.name: str(node.module)
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    declared = next(node.value for node in stub.body if isinstance(node, ast.Assign))
    assert ast.literal_eval(declared) == module.__all__
    assert sorted(imported) == module.__all__
    for name, home in imported.items():
        assert getattr(module, name) is getattr(import_module(home), name)


@pytest.mark.parametrize("name", ["InterpalClient", "AsyncInterpalClient"])
def test_a_client_has_these_methods_and_no_other(name: str) -> None:
    public = {member for member in dir(getattr(interpal, name)) if not member.startswith("_")}
    assert public == METHODS | (ASYNC_TWINS if name.startswith("Async") else set())


@pytest.mark.parametrize("name", ["InterpalClient", "AsyncInterpalClient"])
def test_every_annotation_of_a_client_can_be_read(name: str) -> None:
    client = getattr(interpal, name)
    for member in {"__init__", *METHODS} - set(MANAGERS):
        method = getattr(client, member)
        if isinstance(method, property):
            method = method.fget
            assert method is not None
        hints = get_type_hints(inspect.unwrap(method))
        assert "return" in hints, member


def test_the_annotations_of_every_public_class_can_be_read() -> None:
    for package in (interpal, interpal.vault, interpal.sessions):
        for name in package.__all__:
            public = getattr(package, name)
            if inspect.isclass(public):
                get_type_hints(public)


@pytest.mark.parametrize("name", ["InterpalClient", "AsyncInterpalClient"])
def test_help_shows_every_parameter_and_every_error(name: str) -> None:
    shown = inspect.getdoc(getattr(interpal, name).__init__)
    assert shown is not None
    for parameter in CONSTRUCTOR.replace("|", "").split():
        assert f"    {parameter}: " in shown
    assert "docs/" not in shown
    assert "seconds" in shown.lower()
    for error in ("ValidationError", "InvalidCredentialsError", "NetworkError", "VaultError"):
        assert f"    {error}: " in shown


@pytest.mark.parametrize("name", ["InterpalClient", "AsyncInterpalClient"])
def test_the_constructor_keeps_the_order_of_1_x(name: str) -> None:
    parameters = inspect.signature(getattr(interpal, name)).parameters.values()
    positional = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    keyword = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    assert " ".join([*positional, "|", *keyword]) == CONSTRUCTOR


def test_every_error_is_at_hand_beside_the_clients() -> None:
    errors = {
        name
        for name, value in vars(exceptions).items()
        if isinstance(value, type) and issubclass(value, exceptions.InterpalException)
    }
    # It would hide the builtin of that name.
    errors.remove("PermissionError")
    assert errors < set(interpal.__all__)
    assert errors == set(exceptions.__all__)


def test_a_star_import_hides_no_builtin() -> None:
    for module in ("interpal", "interpal.exceptions", "interpal.models"):
        found: dict[str, object] = {}
        exec(f"from {module} import *", found)
        assert set(vars(builtins)) & set(found) <= {"__builtins__", "__doc__"}
    assert issubclass(exceptions.PermissionError, exceptions.APIError)


def test_the_tree_of_errors_is_the_one_in_its_docstring() -> None:
    classes = {
        name: cls
        for name, cls in vars(exceptions).items()
        if isinstance(cls, type) and issubclass(cls, Exception)
    }
    assert exceptions.__doc__ is not None
    for name, cls in classes.items():
        assert name in exceptions.__doc__, f"{name} is not in the docstring"
        assert issubclass(cls, exceptions.InterpalException)
        assert inspect.getdoc(cls), f"{name} has no docstring"
    assert issubclass(exceptions.ValidationError, ValueError)


def test_the_package_is_typed_and_has_a_version() -> None:
    code = (
        "import importlib.resources as r, importlib.metadata as m, interpal;"
        "assert (r.files('interpal') / 'py.typed').is_file();"
        "assert interpal.__version__ == m.version('interpal-vault') == '0.1.0'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
