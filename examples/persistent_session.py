"""Everything that can be done with a saved session, one step after the other."""

from __future__ import annotations

from pathlib import Path

from _sandbox import account

from interpal import InterpalClient, SessionInfo
from interpal.exceptions import WrongKeyError


def log_in_and_save(username: str, password: str) -> None:
    print("\n1. The first run logs in and saves the session, encrypted.")
    client = InterpalClient(
        username=username, password=password, auto_login=True, persist_session=True
    )
    print(f"   Hello, {client.get_self()['name']}. Saved: {client.persisted}")
    client.close()


def resume(username: str, password: str) -> None:
    print("\n2. A later run resumes it: the session is older than the client.")
    client = InterpalClient(
        username=username,
        password=password,
        auto_login=True,
        persist_session=True,
        on_event=lambda event: print(f"   - {event.name}"),
    )
    print(f"   {client.session}")
    client.close()


def resume_without_password() -> None:
    print("\n3. As long as it lasts, not even a password is needed.")
    client = InterpalClient(persist_session=True)
    print(f"   Hello again, {client.get_self()['name']}.")
    client.close()


def look(client: InterpalClient) -> SessionInfo | None:
    info = client.get_session_info()
    if info:
        print(f"   Username:       {info['username']}")
        print(f"   Created at:     {info['created_at']:%Y-%m-%d %H:%M} UTC")
        print(f"   Expires at:     {info['expires_at']:%Y-%m-%d %H:%M} UTC")
        print(f"   Time remaining: {info['time_remaining']}")
        print(f"   Is expired:     {info['is_expired']}")
    return info


def own_file_time_and_passphrase(username: str, password: str) -> None:
    print("\n4. A file, a lifetime and a passphrase of your own.")
    client = InterpalClient(
        username,
        password,
        auto_login=True,
        persist_session=True,
        session_file="my_session.json",
        session_expiration_hours=48,
        vault_passphrase="correct horse battery staple",
    )
    look(client)
    client.close()

    print("\n5. Another passphrase opens nothing, changes nothing and logs nobody in.")
    before = Path("my_session.json").read_bytes()
    try:
        InterpalClient(
            username,
            password,
            auto_login=True,
            persist_session=True,
            session_file="my_session.json",
            vault_passphrase="wrong horse",
        )
    except WrongKeyError as error:
        print(f"   WrongKeyError: {error}")
    print(f"   The file is as it was: {Path('my_session.json').read_bytes() == before}")


def export_and_import() -> None:
    print("\n6. Export a session for another program, and import it there.")
    with InterpalClient(persist_session=True) as client:
        exported = client.export_session()
    print(f"   Exported: {', '.join(exported)}")

    with InterpalClient() as other:
        other.import_session(exported)
        print(f"   Imported; the server says that it lives: {other.validate_session()}")

    with InterpalClient(session_cookie=exported["session_cookie"]) as third:
        print(f"   A cookie alone will do: {third.get_self()['username']}")


def clear(username: str) -> None:
    print("\n7. Clear what was saved: here, and in the file with a passphrase.")
    with InterpalClient(username=username, persist_session=True) as client:
        client.clear_saved_session()
        print(f"   Saved session: {client.get_session_info()}")

    with InterpalClient(
        username=username,
        persist_session=True,
        session_file="my_session.json",
        vault_passphrase="correct horse battery staple",
    ) as client:
        client.clear_saved_session()
        print(f"   Saved session: {client.get_session_info()}")


if __name__ == "__main__":
    with account() as (username, password):
        log_in_and_save(username, password)
        resume(username, password)
        resume_without_password()
        own_file_time_and_passphrase(username, password)
        export_and_import()
        clear(username)
