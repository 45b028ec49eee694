"""Whatever is done to a vault, through whatever handles, it agrees with a dict."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from interpal.exceptions import WrongKeyError
from interpal.vault import Vault
from tests.vault import KEY, OTHER_KEY

NAMES = st.one_of(
    st.sampled_from(["a", "b", "maple_ink", "Zoë", "名前", "\u202eevil"]),
    st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20),
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"]), max_size=5), inner, max_size=3
        )
    ),
    max_leaves=8,
)
RECORDS = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5), VALUES, max_size=4
)


class GivenUpError(Exception):
    pass


class VaultMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="interpal-machine-"))
        self.path = self.folder / "vault.json"

    @initialize()
    def make(self) -> None:
        self.handles = [Vault.open(self.path, key=KEY, create=True)]
        self.model: dict[str, Any] = {}
        self.generation = 1
        self.keys = {"slot-1": KEY}

    def handle(self, number: int) -> Vault:
        return self.handles[number % len(self.handles)]

    def saved(self, *, changed: bool) -> None:
        self.generation += changed

    @rule(which=st.integers(0, 9), name=NAMES, record=RECORDS)
    def put(self, which: int, name: str, record: dict[str, Any]) -> None:
        self.saved(changed=repr(sorted_in(record)) != repr(sorted_in(self.model.get(name))))
        self.handle(which)[name] = record
        self.model[name] = record

    @rule(which=st.integers(0, 9), name=NAMES)
    def delete(self, which: int, name: str) -> None:
        there = name in self.model
        assert self.handle(which).pop(name, None) == self.model.pop(name, None)
        self.saved(changed=there)

    @rule(
        which=st.integers(0, 9),
        records=st.dictionaries(NAMES, RECORDS, min_size=1, max_size=3),
        fails=st.booleans(),
    )
    def transact(self, which: int, records: dict[str, Any], fails: bool) -> None:
        model = dict(self.model)
        try:
            with self.handle(which).transaction() as draft:
                assert dict(draft) == self.model
                for name, record in records.items():
                    draft[name] = {**record, "generation": self.generation}
                    model[name] = {**record, "generation": self.generation}
                assert dict(draft) == model
                if fails:
                    raise GivenUpError
        except GivenUpError:
            return
        self.model = model
        self.saved(changed=True)

    @rule(which=st.integers(0, 9))
    def reopen(self, which: int) -> None:
        self.handle(which).close()
        secret = next(iter(self.keys.values()))
        self.handles[which % len(self.handles)] = Vault.open(self.path, key=secret)

    @precondition(lambda self: len(self.handles) < 3)
    @rule()
    def another_handle(self) -> None:
        self.handles.append(Vault.open(self.path, key=list(self.keys.values())[-1]))

    @rule()
    def wrong_key(self) -> None:
        before = self.path.read_bytes()
        with pytest.raises(WrongKeyError):
            Vault.open(self.path, key=OTHER_KEY, create=True)
        assert self.path.read_bytes() == before

    @precondition(lambda self: len(self.keys) < 4)
    @rule(which=st.integers(0, 9), byte=st.integers(100, 200))
    def add_slot(self, which: int, byte: int) -> None:
        secret = bytes([byte]) * 32
        self.keys[self.handle(which).add_slot(key=secret).kid] = secret
        self.saved(changed=True)

    @rule(which=st.integers(0, 9))
    def rotate(self, which: int) -> None:
        assert self.handle(which).rotate(dict(self.keys)) == ()
        self.saved(changed=True)

    @invariant()
    def every_handle_agrees_with_the_model(self) -> None:
        for handle in self.handles:
            assert repr(sorted_in({n: r.copy() for n, r in handle.items()})) == repr(
                sorted_in(self.model)
            )
            assert handle.generation == self.generation
            assert [slot.kid for slot in handle.slots] == list(self.keys)

    def teardown(self) -> None:
        shutil.rmtree(self.folder)


def sorted_in(value: Any) -> Any:
    """*value* with its dicts as sorted pairs: their repr tells 1, 1.0 and True apart."""
    if isinstance(value, dict):
        return ("dict", [(name, sorted_in(value[name])) for name in sorted(value)])
    return [sorted_in(one) for one in value] if isinstance(value, list) else value


VaultMachine.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestVaultAgreesWithADict = VaultMachine.TestCase
