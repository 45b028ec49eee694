"""The state of a client: one immutable value, and the one place where it changes.

A `ClientState` says which account was asked for, which session is in use, and how far that can
be relied on: its phase. Each change is one of the transitions below. It is made whole, by
compare-and-swap (`StateCell.change`), in the epoch of the step that makes it. A new epoch begins
where the client goes over to another account or is logged out: a step of an earlier one sends
nothing, saves nothing, and raises.

The phases. In three of them a session is in use:

    none         no session; a saved one is looked for when one is needed
    unverified   in use; the server has answered nothing with it here
    new          in use; a login has given it, and the server has answered nothing with it yet
    verified     in use; the server has answered a request with it
    ended        over: past its expiry, or refused by the server
    mismatched   another account's, by the word of the server; not used
    logged out   no session, and none is looked for before the next login()

The transitions, by the names of the methods. `in use` stands for unverified, new and verified;
the epoch is a new one where it says so.

    transition | from                     | to         | epoch | when
    ---------- | ------------------------ | ---------- | ----- | ----
    use        | any                      | none       | new   | login() of another account
    use        | logged out               | none       | new   | login() after a logout
    hand_over  | any                      | unverified | same  | one of the same account is given
    hand_over  | any                      | unverified | new   | one that may be another's is given
    resume     | none, ended, mismatched  | unverified | same  | a saved one is used unasked
    resume     | none, ended, mismatched  | verified   | same  | the server says whose it is
    log_in     | any but logged out       | new        | same  | a login has given it
    answer     | in use                   | verified   | same  | the server answers with it
    end        | any but logged out       | ended      | same  | it is past its expiry
    end        | any but logged out       | ended      | same  | the server says 401 to who it is
    mismatch   | any but logged out       | mismatched | same  | the server says it is another's
    log_out    | any                      | logged out | new   | logout()

`keep` notes whether the session in use is the saved one; it changes no phase. The test of this
table is tests/session/test_state.py, which makes each transition and draws the picture of
docs/how-it-works.md from it.
"""

from __future__ import annotations

from _thread import RLock
from enum import Enum
from typing import TYPE_CHECKING, Any, NoReturn

from interpal.exceptions import AuthenticationError
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


IN_USE = frozenset({Phase.UNVERIFIED, Phase.NEW, Phase.VERIFIED})


class ClientState:
    """What a client is, at one moment. Frozen; its repr shows no secret.

    `name` is the account asked for, as given, None for whichever is saved; `password` what it
    logs in with. `user_id` is the id that the server has given for it, once known. `session` is
    the session of the phase: in use, ended or another's; `live` is it where it is in use.
    `saved` tells whether it is the one in the vault, `may_login` whether an ended session is
    followed by a login without being asked. `ended_status` is the server's status where it
    ended the session. `epoch` counts the accounts and logouts.
    """

    __slots__ = (
        "ended_status",
        "epoch",
        "may_login",
        "name",
        "password",
        "phase",
        "saved",
        "session",
        "user_id",
    )

    name: str | None
    password: Hidden[bytes] | None
    user_id: str | None
    session: Session | None
    phase: Phase
    saved: bool
    may_login: bool
    ended_status: int | None
    epoch: int

    def __init__(
        self,
        *,
        name: str | None = None,
        password: Hidden[bytes] | None = None,
        user_id: str | None = None,
        session: Session | None = None,
        phase: Phase = Phase.NONE,
        saved: bool = False,
        may_login: bool = False,
        ended_status: int | None = None,
        epoch: int = 0,
    ) -> None:
        fill = object.__setattr__
        fill(self, "name", name)
        fill(self, "password", password)
        fill(self, "user_id", user_id)
        fill(self, "session", session)
        fill(self, "phase", phase)
        fill(self, "saved", saved)
        fill(self, "may_login", may_login)
        fill(self, "ended_status", ended_status)
        fill(self, "epoch", epoch)

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
        return self.live is None and self.phase is not Phase.LOGGED_OUT

    def uses(self, session: Session) -> bool:
        """Whether this very session is in use."""
        return session.same_credentials(self.live)

    def was_refused(self, session: Session) -> bool:
        """Whether the server has ended this very session."""
        return (
            self.phase is Phase.ENDED
            and self.ended_status is not None
            and session.same_credentials(self.session)
        )

    def check_epoch(self, epoch: int) -> None:
        """Refuse to do in one epoch what was asked in another. Raises `AuthenticationError`."""
        if self.epoch != epoch:
            raise AuthenticationError(
                "this client was logged out, or has gone over to another account, while a call was "
                "under way, which was not done; use a client for each account"
            )

    # Transitions.

    def use(self, name: str | None, password: Hidden[bytes] | None) -> ClientState:
        """Ask for an account; None for the same one. What is another's is dropped.

        From here on an ended session is followed by a login without being asked.
        """
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

    def hand_over(self, session: Session) -> ClientState:
        """Use a session from the caller; one that may be another account's begins anew."""
        found = {"session": session, "saved": False, "ended_status": None}
        if self.name is None and not session.same_account(self.session):
            return self._begin(Phase.UNVERIFIED, **found)
        return self._with(phase=Phase.UNVERIFIED, **found)

    def resume(self, session: Session, *, saved: bool, verified: bool) -> ClientState:
        """Use a saved session, unless one is in use by now."""
        if not self.may_resume:
            return self
        return self._with(
            session=session,
            phase=Phase.VERIFIED if verified else Phase.UNVERIFIED,
            saved=saved,
            ended_status=None,
            user_id=self._known_id(session),
        )

    def log_in(self, session: Session) -> ClientState:
        """Use the session of a login."""
        if self.phase is Phase.LOGGED_OUT:
            return self
        return self._with(
            session=session,
            phase=Phase.NEW,
            saved=False,
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
        """A session is over, unless another is in use. *status* where the server said so."""
        if not self._concerns(session):
            return self
        return self._with(session=session, phase=Phase.ENDED, saved=False, ended_status=status)

    def mismatch(self, session: Session) -> ClientState:
        """A session is another account's, unless another is in use."""
        if not self._concerns(session):
            return self
        return self._with(session=session, phase=Phase.MISMATCHED, saved=False)

    def log_out(self) -> ClientState:
        """Forget the session; nothing is resumed or logged in before the next `use`."""
        return self._begin(Phase.LOGGED_OUT, user_id=self.user_id, may_login=False)

    def keep(self, session: Session | None, *, saved: bool) -> ClientState:
        """Note whether the session in use is saved; with *session*, if it is still that one."""
        if self.saved == saved or not (session is None or self.uses(session)):
            return self
        return self._with(saved=saved)

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
        fresh = {"session": None, "user_id": None, "saved": False, "ended_status": None}
        return self._with(**{**fresh, **changes, "phase": phase, "epoch": self.epoch + 1})

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
