"""One schedule: who goes on at each step, and what must hold after it."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, Protocol

from interpal.exceptions import InterpalException, LockTimeoutError
from interpal.transport.messages import Pause, Request
from tests.interleavings.clients import MINE, ROTATE_KEY, Action, Client
from tests.interleavings.world import (
    CLOCK,
    GIVE_WAY,
    LOOK,
    Process,
    Site,
    cookie_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from interpal.transport.messages import Response
    from tests.interleavings.clients import Flow
    from tests.interleavings.hosts import Hosts
    from tests.interleavings.plans import Plan

    _Do = Callable[["Actor | None"], None]

MOST_STEPS = 3000
_IS_TOLD_AGAIN = "the same is not tried again before"


class BrokenPromiseError(AssertionError):
    """Something happened that must never happen."""


class Choice(Protocol):
    """Decides at a step which of the options is taken: its number, 0 for the usual one.

    A preemption, a death, a cancellation and an event at the site cost 1. To go on, or to choose
    who goes on where somebody waits or has ended, costs nothing.
    """

    def __call__(self, costs: Sequence[int]) -> int: ...


class Running:
    """An action of one thread, from its first step to its end."""

    def __init__(self, action: Action, client: Client, site: Site, others: list[Running]) -> None:
        self.action = action
        self.client = client
        self.logouts = client.logouts
        self.flow: Flow = action.flow(client, site)
        # Whom it may act as: who was asked for when it began, or was about to be.
        self.accounts = {client.asked, *client.doubtful} if action.login is None else {action.login}
        self.goes_over_from = client.asked
        self.has_logged_in = False
        self.was_refused = False
        # Others that went over to an account while this ran, and whether it has failed.
        self.cancelled = client.cancelled
        self.beside: list[Running] = []
        self.failed = False
        for other in others:
            self.beside.append(other)
            other.beside.append(self)
        if action.login is None:
            for other in others:
                if other.action.login is not None:
                    self.accounts |= {other.action.login, other.goes_over_from}


class Actor:
    """One thread: its actions, and where it stands."""

    def __init__(self, client: Client, actions: Sequence[Action]) -> None:
        self.client = client
        self.todo = list(actions)
        self.running: Running | None = None
        self.sent: Request | None = None
        self.reply: Response | None = None
        self.wakes = 0.0
        # When the site gave it a new cookie.
        self.rotated = inf
        self.dead = False

    @property
    def is_done(self) -> bool:
        """Whether there is nothing more to do."""
        return self.dead or (self.running is None and not self.todo)


def _wakes(actor: Actor) -> float:
    return actor.wakes


class Schedule:
    """A plan, run in one order."""

    def __init__(
        self,
        plan: Plan,
        choose: Choice,
        *,
        path: str | Hosts | None = None,
        steps: list[str] | None = None,
    ) -> None:
        """*path* is that of a vault in a file, or hosts that share one, None for one in memory.

        *steps* is where they are noted, for a run that is to be looked at.
        """
        self.plan = plan
        self._notes = steps
        self._count = 0
        self.site = Site(single=plan.single)
        CLOCK.start()
        self.place = plan.prepare(self.site, path)
        self.processes = [Process(number) for number in range(plan.processes)]
        self.clients = [
            Client(self.processes[process], self.place, named=plan.named)
            for process in plan.clients
        ]
        self.actors = [Actor(self.clients[client], actions) for client, actions in plan.actors]
        self.events = list(plan.events)
        self._choose = choose
        self._current: Actor | None = None
        self._faults = plan.faults
        self._graves: list[Any] = []
        # Logins that something other than an ended session accounts for.
        self._excused = 0
        self._version = self.place.version
        self._before = self.place.cookies()

    def run(self) -> None:
        """Run to the end. Raises `BrokenPromiseError` where something must not be."""
        try:
            while self._step():
                self._count += 1
                if self._count > MOST_STEPS:
                    raise BrokenPromiseError("it never ends")
            self._check_end()
        finally:
            Process(-1).enter()
            for flow in self._graves:
                flow.close()

    # Whose turn it is.

    def _step(self) -> bool:
        alive = [actor for actor in self.actors if not actor.is_done]
        if not alive:
            return False
        now, current = CLOCK.seconds, self._current
        ready = [actor for actor in alive if actor.wakes <= now]
        options: list[tuple[_Do, Actor | None]] = []
        if current in ready:
            # To go on is usual; another instead of it is a preemption.
            options.append((self._go_on, current))
            costs = [0]
            for actor in alive:
                if actor is not current:
                    options.append((self._go_on, actor))
                    costs.append(1)
        else:
            # It has ended, or has begun to wait: whoever is ready, and in the end who waits least.
            # To wake somebody before all others wait is a preemption: time passes.
            waiting = sorted((one for one in alive if one.wakes > now), key=_wakes)
            options.extend((self._go_on, actor) for actor in (*ready, *waiting))
            costs = [0] * len(ready) + [int(bool(ready) or n > 0) for n in range(len(waiting))]
        if self.events:
            options.append((self._happen, None))
            costs.append(1)
        if self._faults:
            for actor in alive:
                if actor.running is not None:
                    options += ((self._die, actor), (self._cancel, actor))
                    costs += (1, 1)
                    if self.place.can_stall:
                        options.append((self._stall, actor))
                        costs.append(1)
        do, who = options[0 if len(options) == 1 else self._choose(costs)]
        do(who)
        return True

    # What is done.

    def _happen(self, _: Actor | None) -> None:
        event = self.events.pop(0)
        if self._notes is not None:
            self._note("site", event)
        if event == "end":
            self.site.end(MINE)
        elif event == "rotate":
            self.site.rotate(MINE)
        elif event == "block":
            self.site.blocked.add(0)
        else:
            raise AssertionError(event)
        # A session that somebody else has ended was living until now.
        self._before = self.place.cookies()

    def _go_on(self, actor: Actor | None) -> None:
        assert actor is not None
        self._current = actor
        CLOCK.seconds = max(CLOCK.seconds, actor.wakes)
        self.place.pass_time()
        if actor.sent is not None and actor.reply is None:
            actor.reply = self.site.handle(actor.sent, actor.client.process.number)
            if actor.sent.method == "POST" and actor.running:
                actor.running.has_logged_in = actor.reply.status == 200
                actor.running.was_refused = actor.reply.status == 403
            if actor.sent.method == "GET" and actor.reply.header("set-cookie"):
                self._excuse_late(actor)
                actor.rotated = CLOCK.seconds
            if self._notes is not None:
                self._note(
                    actor, f"{actor.sent.method} {actor.sent.url[-12:]}: {actor.reply.status}"
                )
            return
        if actor.running is None:
            self._begin(actor)
        running = actor.running
        assert running is not None
        reply, actor.reply, actor.sent = actor.reply, None, None
        client = actor.client
        client.process.enter()
        try:
            step = running.flow.send(reply)
        except StopIteration:
            if running.action.login is not None:
                # Which of two that ran at a time came last, nobody can tell.
                others = {one.action.login for one in running.beside if not one.failed}
                client.asked, client.doubtful = running.action.login, others - {None}
            client.finished = running.cancelled == client.cancelled
            if running.has_logged_in and any(one.action.imports for one in running.beside):
                # What was given meanwhile is in use in its place, and saved; others may look
                # between the two.
                self._excused += 1
            self._excused += actor.rotated < inf and self._is_overtaken(running)
            if self._notes is not None:
                self._note(actor, f"{running.action.name} done")
            self._ended(actor)
        except LockTimeoutError as error:
            raise BrokenPromiseError("a lock is waited for in vain") from error
        except InterpalException as error:
            running.failed = True
            if _IS_TOLD_AGAIN in str(error) and client.process.number not in self.site.blocked:
                raise BrokenPromiseError(
                    "a host is told what the site has refused another"
                ) from None
            came = running.has_logged_in or actor.rotated < inf
            # As above: what was given meanwhile is in use in its place.
            replaced = running.has_logged_in and any(one.action.imports for one in running.beside)
            self._excused += (came and self._is_overtaken(running)) or replaced
            if running.action.login is not None:
                # Whether it has got as far as to go over to the account, its caller cannot tell.
                actor.client.doubtful |= {running.goes_over_from, running.action.login}
            if self._notes is not None:
                self._note(actor, f"{running.action.name}: {type(error).__name__}: {error}")
            self._ended(actor)
        except Exception as error:
            raise BrokenPromiseError(f"{type(error).__name__}: {error}") from error
        else:
            if isinstance(step, Pause):
                actor.wakes = CLOCK.seconds + step.seconds
                if step is not GIVE_WAY and self._notes is not None:
                    self._note(actor, f"waits {step.seconds:g}")
            else:
                self._sends(actor, running, step)
        self._check_saved(actor, running)

    def _begin(self, actor: Actor) -> None:
        client, action = actor.client, actor.todo.pop(0)
        others = [one.running for one in self.actors if one.client is client and one.running]
        actor.running = Running(action, client, self.site, others)
        if self._notes is not None:
            self._note(actor, f"{action.name} begins")
        if action.login not in (None, client.asked):
            # What a cancelled call had got, and its client had yet to save, goes with the account.
            self._excused += client.left_unsaved
            client.left_unsaved = 0
        client.asked = action.login or client.asked
        if action.begins:
            client.logged_out = False
        if action.removes and action.name == "logout":
            client.logouts += 1
            client.logged_out = True
            actor.running.logouts = client.logouts
        if action.removes:
            self._excused += 1
        self._excused += action.extra

    @staticmethod
    def _is_overtaken(running: Running) -> bool:
        """Whether its client has been logged out, or has gone over to another account, since.

        The session of a login and a new cookie that come after that are thrown away.
        """
        client, mine = running.client, running.action.login or running.goes_over_from
        return running.logouts != client.logouts or any(
            account not in (None, mine)
            for account in (client.asked, *(one.action.login for one in running.beside))
        )

    def _excuse_late(self, actor: Actor) -> None:
        # Pauses add up to a look, or in floating point to nearly one.
        if CLOCK.seconds - actor.rotated >= 0.999 * LOOK:
            # Nobody waits for ever for a new cookie to be saved.
            self._excused += 1

    def _ended(self, actor: Actor) -> None:
        self._excuse_late(actor)
        actor.rotated = inf
        actor.running = None
        actor.wakes = 0.0

    def _die(self, actor: Actor | None) -> None:
        """The process of an actor is killed: nothing of it goes on, its locks are free."""
        assert actor is not None
        self._faults -= 1
        process = actor.client.process
        if self._notes is not None:
            self._note(actor, "its process is killed")
        self._excused += 1
        for other in self.actors:
            if other.client.process is process:
                other.dead = True
                if other.running is not None:
                    self._graves.append(other.running.flow)
                    other.running = None
        self.place.let_go(process)

    def _stall(self, actor: Actor | None) -> None:
        """The host of an actor is stopped until its locks have run out."""
        assert actor is not None
        self._faults -= 1
        process = actor.client.process
        if self._notes is not None:
            self._note(actor, "its host is stopped, and its locks run out")
        self._excused += 1
        seconds = self.place.stall(process)
        for other in self.actors:
            if other.client.process is process:
                other.wakes = CLOCK.seconds + seconds

    def _cancel(self, actor: Actor | None) -> None:
        """An action is given up: its flow is closed where it stands."""
        self._faults -= 1
        assert actor is not None
        assert actor.running is not None
        if self._notes is not None:
            self._note(actor, f"{actor.running.action.name} is cancelled")
        # What the reply that it did not get to see has brought is lost. What it had seen its own
        # client keeps, and others may ask for anew before that has saved it.
        unseen = actor.reply is not None and actor.reply.header("set-cookie") is not None
        unseen = unseen or actor.running.was_refused
        seen = actor.running.has_logged_in or actor.rotated < inf
        excused = unseen or (seen and len(self.clients) > 1)
        self._excused += excused
        actor.client.left_unsaved += seen and not excused
        actor.client.cancelled += 1
        actor.client.finished = False
        if actor.running.action.login is not None:
            actor.client.doubtful |= {actor.running.goes_over_from, actor.running.action.login}
        actor.client.process.enter()
        actor.running.flow.close()
        actor.sent = actor.reply = None
        self._ended(actor)

    # What must hold.

    def _sends(self, actor: Actor, running: Running, request: Request) -> None:
        actor.sent = request
        if self._notes is not None:
            self._note(actor, f"sends {request.method} {request.url[-12:]} {cookie_of(request)}")
        if running.logouts != running.client.logouts:
            raise BrokenPromiseError("a request is sent by what began before a logout")
        if running.client.logged_out:
            raise BrokenPromiseError("a request is sent after a logout")
        cookie = cookie_of(request)
        if not cookie:
            assert isinstance(request.body, bytes)
            account = request.body.decode().partition("username=")[2].partition("&")[0]
            if None not in running.accounts and account not in running.accounts:
                raise BrokenPromiseError(
                    f"a login to {account}, where {running.accounts} was asked for"
                )
            return
        owner = self.site.owner(cookie)
        is_question = request.url.endswith("/v1/account/self")
        if None not in running.accounts and owner not in running.accounts and not is_question:
            raise BrokenPromiseError(f"a request with a session of {owner} for {running.accounts}")

    def _check_saved(self, actor: Actor, running: Running) -> None:
        if self.place.version == self._version:
            return
        self._version = self.place.version
        after = self.place.cookies()
        if after == self._before:
            return
        before, self._before = self._before, after
        if self._notes is not None:
            self._note(actor, f"saved now: {after}")
        for name in before.keys() | after.keys():
            old, new = before.get(name), after.get(name)
            if old == new:
                continue
            if new is not None and running.logouts != running.client.logouts:
                raise BrokenPromiseError("a session is saved by what began before a logout")
            if old is not None and self._lives(name, old) and not running.action.imports:
                if new is None and not running.action.removes:
                    raise BrokenPromiseError(f"the saved living session {old} is removed")
                if new is not None and not self._lives(name, new) and not self._is_coming(new):
                    raise BrokenPromiseError(
                        f"the saved living session {old} is replaced by the dead {new}"
                    )

    def _lives(self, name: str, cookie: str) -> bool:
        return self.site.is_alive(cookie) and self.site.owner(cookie) == name

    def _is_coming(self, cookie: str) -> bool:
        """Whether the cookie in the place of this one is in a reply that is not yet looked at.

        Its thread saves it in its turn. Nobody knows of it before, so the old one is the best
        that another thread can save.
        """
        newer = self.site.successor(cookie)
        coming = [actor.reply.header("set-cookie") for actor in self.actors if actor.reply]
        return any(newer in (one or "") for one in coming) if newer else False

    def _check_kept(self) -> None:
        """What the only client of a vault has got in a call that has not failed is in the vault."""
        if len(self.clients) > 1 or any(a.dead for a in self.actors) or not self._all_keep():
            return
        live = self.clients[0].api.session
        if live is None or not self.site.is_alive(live.session_cookie):
            return
        if self.clients[0].finished and live.session_cookie not in self.place.cookies().values():
            raise BrokenPromiseError(f"{live.session_cookie} is in use, and is not saved")

    def _all_keep(self) -> bool:
        return not any(
            action.removes or action.imports or action is ROTATE_KEY
            for _, actions in self.plan.actors
            for action in actions
        )

    def _check_end(self) -> None:
        self._check_kept()
        if self.place.is_locked:
            raise BrokenPromiseError("a login lock is held at the end")
        for process in self.processes:
            living = [a for a in self.actors if a.client.process is process and not a.dead]
            if process.flights and living:
                raise BrokenPromiseError("the right to log in is taken at the end")
        imports = sum(one.imports for _, actions in self.plan.actors for one in actions)
        for account, logins in self.site.logins.items():
            first = int(account not in self.plan.saved_living)
            allowed = first + self.site.endings[account] + self._excused
            if self.site.single:
                # A login that is thrown away has ended the session in use; and where one was
                # imported meanwhile, that stays, though the login has ended it.
                allowed += self._excused + imports
            if logins > allowed:
                raise BrokenPromiseError(
                    f"{logins} logins of {account}, where {allowed} were needed"
                )

        for (host, account), refused in self.site.refused.items():
            # A session from elsewhere, and time, clear what is remembered.
            passed = int(CLOCK.seconds // 60) + sum(self.site.logins.values()) + imports
            if refused > 1 + self._excused + passed:
                raise BrokenPromiseError(
                    f"host {host} asks again for {account}, which it is refused"
                )

    def _note(self, who: Actor | str, what: str) -> None:
        assert self._notes is not None
        name = who if isinstance(who, str) else f"thread {self.actors.index(who)}"
        self._notes.append(f"{name}: {what}")
