"""What a client can be asked to do, as flows that a scheduler drives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from interpal.api.base import Blocking, Operation, Operations
from interpal.vault.vault import Vault
from tests.interleavings.world import GIVE_WAY, KEY, ORIGIN, PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from tests.interleavings.world import Place, Process, Site

    Flow = Generator[Any, Any, Any]

MINE, OTHER = "maple_ink", "pedro_k"


class SteppedClient(Operations, Blocking):
    """A client whose operations return their flow, not yet begun."""

    login = Operation(Operations._login)
    import_session = Operation(Operations._import_session)
    clear_saved_session = Operation(Operations._clear_saved_session)

    def _begin(self) -> None:
        """Nothing: the first call resumes."""

    def _run(self, flow: Any) -> Any:
        return flow


class Client:
    """A client of one process, and what a witness has to know of it: what was asked of it."""

    def __init__(self, process: Process, place: Place, *, named: bool = True) -> None:
        self.process = process
        self.place = place
        # What login() has asked for last, and how often logout() was called.
        self.asked: str | None = MINE if named else None
        self.doubtful: set[str | None] = set()
        self.logouts = 0
        self.logged_out = False
        # How many of its actions were cancelled, and whether one has come to its end since.
        self.cancelled = 0
        # Sessions and cookies of cancelled calls that it may not have saved yet.
        self.left_unsaved = 0
        self.finished = False
        # By its declaration each method returns a result, not the flow that does so here.
        self.api: Any = SteppedClient(
            MINE if named else None,
            PASSWORD if named else None,
            auto_login=named,
            persist_session=True,
            store=place.store_of(process),
            vault_key=KEY,
            base_url=ORIGIN,
            revalidate_after=3600,
        )


class Action(NamedTuple):
    """Something a client is asked for.

    *login* names the account that it asks for. *begins* tells that it brings a client back that
    was logged out, *removes* that it may take away a saved session, *imports* that it may put
    another in its place. *extra* is how many logins it may make beside those that an ended
    session needs.
    """

    name: str
    flow: Callable[[Client, Site], Flow]
    login: str | None = None
    begins: bool = False
    removes: bool = False
    imports: bool = False
    extra: int = 0


def _call(client: Client, _: Site) -> Flow:
    flow: Flow = client.api.get("/v1/feed")
    return flow


def _never(client: Client, _: Site) -> Flow:
    flow: Flow = client.api.get("/v1/never")
    return flow


def _validate(client: Client, _: Site) -> Flow:
    flow: Flow = client.api.validate_session()
    return flow


def _login(client: Client, _: Site) -> Flow:
    flow: Flow = client.api.login(MINE, PASSWORD)
    return flow


def _login_other(client: Client, _: Site) -> Flow:
    flow: Flow = client.api.login(OTHER, PASSWORD)
    return flow


def _force(client: Client, _: Site) -> Flow:
    flow: Flow = client.api.login(force=True)
    return flow


def _logout(client: Client, _: Site) -> Flow:
    flow: Flow = client.api.logout()
    return flow


def _clear(client: Client, _: Site) -> Flow:
    flow: Flow = client.api.clear_saved_session()
    return flow


def _import(client: Client, site: Site) -> Flow:
    cookie = site.new_session(client.asked or MINE)
    flow: Flow = client.api.import_session(cookie)
    return flow


def _import_foreign(client: Client, site: Site) -> Flow:
    flow: Flow = client.api.import_session(site.new_session(OTHER))
    return flow


def _rotate_key(client: Client, _: Site) -> Flow:
    """What another process does that gives the vault a new vault key."""

    def rotate() -> Flow:
        yield GIVE_WAY
        if client.place.is_there:
            vault = Vault.open(client.place.store_of(client.process), key=KEY)
            vault.rotate()
            vault.close()

    return rotate()


CALL = Action("call", _call)
NEVER = Action("call that is always refused", _never)
VALIDATE = Action("validate", _validate)
LOGIN = Action("login", _login, login=MINE, begins=True)
LOGIN_OTHER = Action("login of another", _login_other, login=OTHER, begins=True)
FORCE = Action("login by force", _force, begins=True, extra=1)
LOGOUT = Action("logout", _logout, removes=True)
CLEAR = Action("clear", _clear, removes=True)
IMPORT = Action("import", _import, begins=True, imports=True)
IMPORT_FOREIGN = Action("import of another's", _import_foreign, begins=True, imports=True)
ROTATE_KEY = Action("rotate the key", _rotate_key)

ACTIONS = (
    CALL,
    VALIDATE,
    LOGIN,
    LOGIN_OTHER,
    FORCE,
    LOGOUT,
    CLEAR,
    IMPORT,
    IMPORT_FOREIGN,
    NEVER,
)
