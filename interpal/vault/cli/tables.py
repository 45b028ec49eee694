"""The tables that several verbs show: the accounts, the key slots."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from interpal.vault.cli import formatting, output
from interpal.vault.cli.formatting import Cell, clean
from interpal.vault.health import report

if TYPE_CHECKING:
    from datetime import datetime

    from interpal.vault.format.key_slots import KdfParameters
    from interpal.vault.health.report import Account, SlotReport
    from interpal.vault.vault import Vault

_STATE_STYLES = {"not expired": "green", "ends soon": "yellow", "expired": "red"}


def accounts_of(vault: Vault) -> list[Account]:
    """What may be shown of the accounts, by name."""
    records = vault.snapshot()
    return [report.account(name, records[name]) for name in sorted(records)]


def accounts_json(accounts: list[Account], now: datetime) -> list[dict[str, Any]]:
    """The accounts for programs."""
    rows = []
    for account in accounts:
        left = account.time_left(now)
        rows.append(
            {
                "name": account.name,
                "username": account.username,
                "created_at": formatting.iso(account.created_at),
                "expires_at": formatting.iso(account.expires_at),
                "seconds_left": None if left is None else int(left.total_seconds()),
                "state": account.state(now),
            }
        )
    return rows


def totals(accounts: list[Account], now: datetime) -> str:
    """How many there are, and how many of each state."""
    counts = Counter(account.state(now) for account in accounts)
    states = ", ".join(f"{number:,} {state}" for state, number in sorted(counts.items()))
    return f"{len(accounts):,} {'session' if len(accounts) == 1 else 'sessions'}: {states}"


def put_accounts(accounts: list[Account], now: datetime) -> None:
    """The table of the accounts, 80 columns for names of up to 20."""
    if not accounts:
        output.say("No accounts yet.")
        return
    rows: list[list[Cell | str]] = []
    for account in accounts:
        left = account.time_left(now)
        state = account.state(now)
        bar = formatting.bar(account.share_left(now))
        words = "-" if left is None else formatting.duration(left)
        if output.is_narrow():
            bar = bar._replace(text="")
        rows.append(
            [
                _shown_name(account),
                formatting.short_time(account.created_at, now),
                formatting.short_time(account.expires_at, now),
                Cell(
                    f"{bar.text} {words}".lstrip() if not bar.text else f"{bar.text} {words}",
                    bar.style,
                ),
                Cell(state, _STATE_STYLES.get(state, "")),
            ]
        )
    titles = ("Account", "Created UTC", "Expires UTC", "Time left", "State")
    output.put_table(titles, rows, paged=True)


def _shown_name(account: Account) -> str:
    """The name of the record; in brackets the username where it is another one."""
    username = account.username
    if username is None or username.casefold() == account.name.casefold():
        return clean(account.name)
    return f"{clean(account.name)} ({clean(username)})"


def slots_json(slots: tuple[SlotReport, ...]) -> list[dict[str, Any]]:
    """The key slots for programs."""
    return [
        {
            "kid": slot.kid,
            "kind": slot.kind,
            "created_at": formatting.iso(slot.made_at),
            "kdf": None if slot.kdf is None else {"name": "argon2id", **slot.kdf._asdict()},
        }
        for slot in slots
    ]


def put_slots(slots: tuple[SlotReport, ...], now: datetime) -> None:
    """The table of the key slots."""
    output.put_table(
        ("Slot", "Opens with", "Made UTC", "Argon2id"),
        [
            [
                Cell(slot.kid, "bold"),
                slot.kind,
                formatting.short_time(slot.made_at, now),
                _cost(slot.kdf),
            ]
            for slot in slots
        ],
    )


def _cost(kdf: KdfParameters | None) -> Cell:
    if kdf is None:
        return Cell("-")
    memory, passes, lanes = kdf
    amount = f"{memory // 1024} MiB" if memory % 1024 == 0 else f"{memory} KiB"
    times = f"{passes} {'pass' if passes == 1 else 'passes'}"
    words = f"{amount}, {times}, {formatting.plural(lanes, 'lane')}"
    return Cell(f"{words} (weak)", "red") if kdf.is_weak else Cell(words)
