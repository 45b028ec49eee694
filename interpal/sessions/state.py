"""The state of a client: one immutable value, and the one place where it changes.

A `ClientState` says which account was asked for, which session is in use, and how far that can
be relied on: its phase. Each change is one of the transitions below. It is made whole, by
compare-and-swap (`StateCell.change`), in the epoch of the step that makes it. A new epoch begins
where the client goes over to another account, or to what may be one, is logged out, logs in after
that, or is closed: a step of an earlier one sends nothing, saves nothing, and raises.

The phases. In three of them a session is in use:

    none         no session; a saved one is looked for when one is needed
    unverified   in use; the server has not answered with it here
    new          in use; a login has given it, and the server has not answered with it yet
    verified     in use; the server has answered a request with it
    ended        over: past its expiry, or refused by the server
    mismatched   another account's, by the word of the server; not used
    logged out   no session; none is looked for before login(), or before one is given
    closed       no session, no password, and nothing more is done

The transitions, by the names of the methods. `in use` stands for unverified, new and verified,
`open` for any but logged out and closed; the epoch is a new one where it says so.

    transition | from                     | to         | epoch | when
    ---------- | ------------------------ | ---------- | ----- | ----
    use        | any but closed           | none       | new   | login() of another account
    use        | logged out               | none       | new   | login() after a logout
    hand_over  | any but closed           | unverified | same  | one is given for its account
    hand_over  | any but closed           | unverified | new   | one that may be another's is given
    resume     | none, ended, mismatched  | unverified | same  | a saved one is used unasked
    resume     | none, ended, mismatched  | verified   | same  | the server says whose it is
    log_in     | open                     | new        | same  | a login has given it
    answer     | in use                   | verified   | same  | the server answers with it
    end        | open                     | ended      | same  | it is past its expiry
    end        | open                     | ended      | same  | the server says 401 to who it is
    mismatch   | open                     | mismatched | same  | the server says it is another's
    log_out    | any but closed           | logged out | new   | logout()
    close      | any                      | closed     | new   | close()

A client without a name has no account of its own yet, so that a session may be another's; to one
with a name the caller gives a session for that account. `answer` concerns the session in use alone;
`end` and `mismatch` too, where one is in use. What is not in the table leaves the state as it is:
`login()` of the same account changes no phase but logged out, and `note_saved` and `note_unsaved`,
which say whether the session in use is the one in the vault, change none. The test of this table
is tests/session/test_state.py, which makes each transition; docs/states.py draws the picture of
docs/how-it-works.md from it.
"""

from __future__ import annotations

from _thread import RLock
from enum import Enum
from typing import TYPE_CHECKING, Any, NoReturn

from interpal.exceptions import AuthenticationError, ClientClosedError
from interpal.session import record_name
from interpal.vault.files.forks import in_child

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from interpal._hidden import Hidden
    from interpal.session import Session

# Held for moments only. One for all clients, so that a forked child has a free one.
_guard = RLock()


class Phase(Enum):
    """How far the session of a client can be relied on: the table of this module."""

    NONE = "none"
    UNVERIFIED = "unverified"
    NEW = "new"
    VERIFIED = "verified"
    ENDED = "ended"
    MISMATCHED = "mismatched"
    LOGGED_OUT = "logged out"
    CLOSED = "closed"


IN_USE = frozenset({Phase.UNVERIFIED, Phase.NEW, Phase.VERIFIED})
OPEN = frozenset(Phase) - {Phase.LOGGED_OUT, Phase.CLOSED}


class Saving(Enum):
    """How the session in use stands to the vault."""

    NONE = "none"
    """It is not there, and is not to be."""
    DUE = "due"
    """A login has given it: to be saved, but not over what was imported since."""
    DUE_OVER_ANY = "due over any"
    """The caller has given it: to be saved in the place of whatever is there."""
    SAVED = "saved"
    """It is there, perhaps as it was before the last reply."""


class ClientState:
    """What a client is, at one moment. Frozen; its repr shows no secret.

    `name` is the account asked for, as given, None for whichever is saved; `password` what it
    logs in with. `user_id` is the id that the server has given for it, once known. `session` is
    the session of the phase: in use, ended or another's; `live` is it where it is in use.
    `saving` says how that relates to the vault, `stored` what this client last knew to be
    there. `may_login` says whether an ended session is followed by a login without being asked.
    `ended_status` is the server's status where it ended the session. `epoch` counts the accounts
    and logouts, `logouts` the logouts alone.
    """

    __slots__ = (
        "ended_status",
        "epoch",
        "logouts",
        "may_login",
        "name",
        "password",
        "phase",
        "saving",
        "session",
        "stored",
        "user_id",
    )

    name: str | None
    password: Hidden[bytes] | None
    user_id: str | None
    session: Session | None
    phase: Phase
    saving: Saving
    stored: Session | None
    may_login: bool
    ended_status: int | None
    epoch: int
    logouts: int

    def __init__(
        self,
        *,
        name: str | None = None,
        password: Hidden[bytes] | None = None,
        user_id: str | None = None,
        session: Session | None = None,
        phase: Phase = Phase.NONE,
        saving: Saving = Saving.NONE,
        stored: Session | None = None,
        may_login: bool = False,
        ended_status: int | None = None,
        epoch: int = 0,
        logouts: int = 0,
    ) -> None:
        fill = object.__setattr__
        fill(self, "name", name)
        fill(self, "password", password)
        fill(self, "user_id", user_id)
        fill(self, "session", session)
        fill(self, "phase", phase)
        fill(self, "saving", saving)
        fill(self, "stored", stored)
        fill(self, "may_login", may_login)
        fill(self, "ended_status", ended_status)
        fill(self, "epoch", epoch)
        fill(self, "logouts", logouts)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a ClientState is frozen: {name} cannot be changed")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a ClientState is frozen: {name} cannot be removed")

    def __repr__(self) -> str:
        return f"<ClientState of {self.name or 'nobody yet'}: {self.phase.value}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a ClientState holds a session and a password and cannot be pickled")

    # What it says.

    @property
    def live(self) -> Session | None:
        """The session in use; the server may have ended it since."""
        return self.session if self.phase in IN_USE else None

    @property
    def saved(self) -> bool:
        """Whether the session in use is the one in the vault."""
        return self.saving is Saving.SAVED

    @property
    def is_due(self) -> bool:
        """Whether the session in use is new, and has yet to be saved."""
        return self.saving in (Saving.DUE, Saving.DUE_OVER_ANY)

    @property
    def is_unsaved(self) -> bool:
        """Whether the session in use is to be in the vault, and is not there as it is now."""
        return self.is_due or (self.saved and self.session is not self.stored)

    @property
    def record_name(self) -> str:
        """The name of the account's record, empty where no account was asked for."""
        return record_name(self.name or "")

    @property
    def has_credentials(self) -> bool:
        """Whether there are a username and a password."""
        return bool(self.name) and self.password is not None

    @property
    def can_log_in(self) -> bool:
        """Whether an ended session may be followed by a login, and there is what it takes."""
        return self.may_login and self.has_credentials

    @property
    def may_resume(self) -> bool:
        """Whether a saved session is looked for."""
        return self.live is None and self.phase in OPEN

    def uses(self, session: Session) -> bool:
        """Whether this very session is in use."""
        return session.same_credentials(self.live)

    def was_refused(self, session: Session) -> bool:
        """Whether the server has ended this very session; also as it was when it was last saved."""
        if self.phase is not Phase.ENDED or self.ended_status is None:
            return False
        return session.same_credentials(self.session) or session.same_credentials(self.stored)

    def check_epoch(self, epoch: int) -> None:
        """Refuse to do in one epoch what was asked in another.

        Raises `AuthenticationError`, or where the client was closed `ClientClosedError`.
        """
        self.check_not_closed()
        if self.epoch != epoch:
            raise AuthenticationError(
                "this client was logged out, or switched to another account, while a call was "
                "under way; the call was not made. Use one client for each account"
            )

    def check_not_closed(self) -> None:
        """Raise `ClientClosedError` where the client was closed."""
        if self.phase is Phase.CLOSED:
            raise ClientClosedError(
                "this client was closed, and has forgotten its session, its password and its key; "
                "make a new one"
            )

    # Transitions.

    def use(self, name: str | None, password: Hidden[bytes] | None) -> ClientState:
        """Ask for an account; None for the same one. What is another's is dropped.

        From here on an ended session is followed by a login without being asked.
        """
        if self.phase is Phase.CLOSED:
            return self
        changes: dict[str, Any] = {"may_login": True}
        if password is not None:
            changes["password"] = password
        if name is not None:
            changes["name"] = name
        if name is not None and self._is_another(name):
            if self.name is not None:
                changes.setdefault("password", None)
            return self._begin(Phase.NONE, **changes)
        if self.phase is Phase.LOGGED_OUT:
            return self._begin(Phase.NONE, user_id=self.user_id, **changes)
        return self._with(**changes)

    def hand_over(self, session: Session, *, due: bool = False) -> ClientState:
        """Use a session from the caller; one that may be another account's begins anew.

        *due* where it is to be saved.
        """
        if self.phase is Phase.CLOSED:
            return self
        saving = Saving.DUE_OVER_ANY if due else Saving.NONE
        found = {"session": session, "saving": saving, "stored": None, "ended_status": None}
        mine = None if self.phase is Phase.MISMATCHED else self.session
        if self.name is None and not session.same_account(mine):
            return self._begin(Phase.UNVERIFIED, **found)
        return self._with(phase=Phase.UNVERIFIED, **found)

    def resume(self, session: Session, *, saved: bool, verified: bool) -> ClientState:
        """Use a saved session, unless one is in use by now."""
        if not self.may_resume:
            return self
        return self._with(
            session=session,
            phase=Phase.VERIFIED if verified else Phase.UNVERIFIED,
            saving=Saving.SAVED if saved else Saving.NONE,
            stored=session if saved else None,
            ended_status=None,
            user_id=self._known_id(session),
        )

    def log_in(
        self, session: Session, *, due: bool = False, stored: Session | None = None
    ) -> ClientState:
        """Use the session of a login; *due* where it is to be saved, in the place of *stored*."""
        if self.phase not in OPEN:
            return self
        return self._with(
            session=session,
            phase=Phase.NEW,
            saving=Saving.DUE if due else Saving.NONE,
            stored=stored,
            ended_status=None,
            user_id=session.user_id or self.user_id,
        )

    def answer(self, seen: Session, session: Session) -> ClientState:
        """Use *session*, which the server's answer has left of *seen*, if that is still in use."""
        if not self.uses(seen):
            return self
        if self.phase is Phase.VERIFIED and session is self.session:
            return self
        return self._with(session=session, phase=Phase.VERIFIED, user_id=self._known_id(session))

    def end(self, session: Session, status: int | None) -> ClientState:
        """A session is over, unless another is in use. *status* where the server said so.

        One that the server has refused stays so.
        """
        if not self._concerns(session):
            return self
        if status is None and self.was_refused(session):
            status = self.ended_status
        return self._with(
            session=session, phase=Phase.ENDED, saving=Saving.NONE, ended_status=status
        )

    def mismatch(self, session: Session) -> ClientState:
        """A session is another account's, unless another is in use."""
        if not self._concerns(session):
            return self
        return self._with(session=session, phase=Phase.MISMATCHED, saving=Saving.NONE, stored=None)

    def log_out(self) -> ClientState:
        """Forget the session; nothing is resumed or logged in before the next `use`."""
        if self.phase is Phase.CLOSED:
            return self
        return self._begin(
            Phase.LOGGED_OUT, user_id=self.user_id, may_login=False, logouts=self.logouts + 1
        )

    def close(self) -> ClientState:
        """Forget the session and the password, for good."""
        return self._begin(Phase.CLOSED, user_id=self.user_id, password=None, may_login=False)

    def note_saved(self, session: Session) -> ClientState:
        """*session* is in the vault now: the one in use, perhaps before its last reply."""
        if self.live is None or not session.same_login(self.live):
            return self
        return self._with(saving=Saving.SAVED, stored=session)

    def note_unsaved(self, session: Session | None = None) -> ClientState:
        """The session in use, if it is of the login of *session*, is not in the vault any more."""
        if self.saving is Saving.NONE:
            return self
        if session is not None and not (self.live and session.same_login(self.live)):
            return self
        return self._with(saving=Saving.NONE, stored=None)

    # How.

    def _concerns(self, session: Session) -> bool:
        return self.uses(session) if self.live is not None else self.may_resume

    def _is_another(self, name: str) -> bool:
        if self.name is not None:
            return record_name(name) != self.record_name
        # Handed over, or found without a name, or still being looked for: anybody's.
        known = self.session.username if self.session is not None else None
        return known is None or record_name(known) != record_name(name)

    def _known_id(self, session: Session) -> str | None:
        """The user's id, by the word of the server alone."""
        validated_id = None if session.last_validated_at is None else session.user_id
        return self.user_id or validated_id

    def _begin(self, phase: Phase, **changes: Any) -> ClientState:
        """A new epoch, with nothing of what the earlier one had got."""
        fresh = {"session": None, "user_id": None, "ended_status": None}
        kept = {"saving": Saving.NONE, "stored": None}
        return self._with(**{**fresh, **kept, **changes, "phase": phase, "epoch": self.epoch + 1})

    def _with(self, **changes: Any) -> ClientState:
        return ClientState(**{**{name: getattr(self, name) for name in self.__slots__}, **changes})


class StateCell:
    """Holds the state of one client. All its threads and tasks change it here, and only here."""

    __slots__ = ("_state",)

    def __init__(self, state: ClientState) -> None:
        self._state = state

    def __repr__(self) -> str:
        return f"<StateCell: {self._state!r}>"

    @property
    def state(self) -> ClientState:
        """The state as it is now. Reading it needs no lock."""
        return self._state

    def change(
        self, transition: Callable[[ClientState], ClientState], *, epoch: int | None = None
    ) -> ClientState:
        """Make a transition of the state as it is now; the new state.

        Raises `AuthenticationError` where *epoch*, in which the step began, is over.
        """
        while True:
            seen = self._state
            if epoch is not None:
                seen.check_epoch(epoch)
            new = transition(seen)
            if self._swap(seen, new):
                return new

    def _swap(self, seen: ClientState, new: ClientState) -> bool:
        with held_for_a_moment():
            if self._state is not seen:
                return False
            self._state = new
            return True


def held_for_a_moment() -> AbstractContextManager[bool]:
    """The lock of all clients of this process, for a few assignments that belong together."""
    return _guard


def _renew_guard() -> None:
    global _guard
    _guard = RLock()


in_child(_renew_guard)
