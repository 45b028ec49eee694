"""A vault in random use, with faults in it, beside a model of what it should hold."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from interpal.exceptions import NotDurableError, VaultIOError, VaultPermissionError
from interpal.vault.vault import Vault
from tests.files import descriptors
from tests.reliability import Row
from tests.reliability.children import in_child
from tests.reliability.in_process import DIE, INTERRUPT, Fault, Injector
from tests.reliability.subjects import open_vault, path_in

NAMES = st.sampled_from(["maple_ink", "pedro_k", "日本", "a" * 200])
RECORDS = st.dictionaries(
    st.sampled_from(["session_cookie", "n", "deep"]),
    st.one_of(
        st.text(max_size=40),
        st.integers(-(2**53), 2**53),
        st.none(),
        st.booleans(),
        st.lists(st.integers(0, 9), max_size=3),
    ),
    max_size=3,
)
FAULTS = st.builds(
    Fault,
    st.integers(1, 110),
    st.sampled_from([errno.EIO, errno.ENOSPC, errno.ESTALE, errno.EACCES, INTERRUPT]),
)
_PLACE = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


class VaultMachine(RuleBasedStateMachine):
    """Two handles on one vault; what is told to have failed must not have happened."""

    steps = 0
    faults = 0

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.mkdtemp(prefix="interpal-machine-", dir=_PLACE)
        self.model: dict[str, Any] = {}
        self.kids = ["slot-1"]
        self.generation = 0
        self.vaults = [open_vault(self.folder, create=True), open_vault(self.folder)]

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def _after(self, change: dict[str, Any], outcome: str) -> None:
        """*change* is what the model would be; *outcome* tells whether it is."""
        type(self).steps += 1
        held = dict(self.vaults[0].snapshot())
        if outcome == "done":
            assert held == change
        elif outcome == "refused":
            assert held == self.model
        else:
            assert held in (self.model, change)
        self.model = held

    @rule(which=st.integers(0, 1), name=NAMES, record=RECORDS)
    def put(self, which: int, name: str, record: dict[str, Any]) -> None:
        self.vaults[which][name] = record
        self._after({**self.model, name: record}, "done")

    @rule(which=st.integers(0, 1), name=NAMES)
    def delete(self, which: int, name: str) -> None:
        with self.vaults[which].transaction() as records:
            records.pop(name, None)
        self._after({key: self.model[key] for key in self.model if key != name}, "done")

    @rule(which=st.integers(0, 1), name=NAMES, record=RECORDS)
    def a_body_that_raises_saves_nothing(
        self, which: int, name: str, record: dict[str, Any]
    ) -> None:
        try:
            with self.vaults[which].transaction() as records:
                records[name] = record
                raise LookupError
        except LookupError:
            pass
        self._after(self.model, "done")

    @rule(which=st.integers(0, 1))
    def rotate(self, which: int) -> None:
        before = self.vaults[which].id
        self.kids = [kid for kid in self.kids if kid == "slot-1"]
        self.vaults[which].rotate(drop_slots=True)
        assert self.vaults[1 - which].id != before
        self._after(self.model, "done")

    @precondition(lambda self: len(self.kids) < 8)
    @rule(which=st.integers(0, 1), key=st.binary(min_size=32, max_size=32))
    def add_a_slot(self, which: int, key: bytes) -> None:
        kid = f"slot-{len(self.kids) + 1}"
        self.vaults[which].add_slot(key=key, kid=kid)
        self.kids.append(kid)
        with Vault.open(path_in(self.folder), key=key) as other:
            assert dict(other.snapshot()) == self.model
        self._after(self.model, "done")

    @rule(which=st.integers(0, 1), name=NAMES, record=RECORDS, fault=FAULTS)
    def put_with_a_fault(self, which: int, name: str, record: dict[str, Any], fault: Fault) -> None:
        self._faulty(lambda: self.vaults[which].__setitem__(name, record), fault)
        self._after({**self.model, name: record}, self._outcome)

    @rule(which=st.integers(0, 1), fault=FAULTS)
    def rotate_with_a_fault(self, which: int, fault: Fault) -> None:
        self._faulty(lambda: self.vaults[which].rotate(drop_slots=True), fault)
        self.kids = [slot.kid for slot in self.vaults[0].slots]
        self._after(self.model, self._outcome)

    @rule(name=NAMES, record=RECORDS, at=st.integers(1, 110))
    def put_and_die(self, name: str, record: dict[str, Any], at: int) -> None:
        type(self).faults += 1

        def work() -> None:
            with Injector((Fault(at, DIE),)):
                self.vaults[0][name] = record

        outcome = "unknown" if in_child(work).killed else "done"
        self._after({**self.model, name: record}, outcome)
        with self.vaults[1].transaction() as records:
            records["sweep"] = {"n": self.steps}
        self.model["sweep"] = {"n": self.steps}
        assert sorted(os.listdir(self.folder)) == ["vault", "vault.locks"]

    @rule(which=st.integers(0, 1))
    def open_again(self, which: int) -> None:
        type(self).steps += 1
        self.vaults[which].close()
        self.vaults[which] = open_vault(self.folder)

    @invariant()
    def all_see_the_same_and_never_an_older_one(self) -> None:
        generation = self.vaults[0].generation
        assert generation == self.vaults[1].generation
        assert generation >= self.generation
        self.generation = generation
        assert dict(self.vaults[1].snapshot()) == self.model
        assert {slot.kid for slot in self.vaults[1].slots} == set(self.kids)

    def _faulty(self, work: Any, fault: Fault) -> None:
        before = descriptors()
        self._outcome = "done"
        with Injector((fault,)) as injector:
            try:
                work()
            except NotDurableError:
                pass
            except (VaultIOError, VaultPermissionError):
                self._outcome = "refused"
            except KeyboardInterrupt:
                self._outcome = "unknown"
        type(self).faults += bool(injector.hit)
        assert descriptors() <= before, f"{fault}: descriptors left open"
        left = [name for name in os.listdir(self.folder) if name.endswith(".tmp")]
        assert not left or "unlink" in injector.hit, f"{fault}: {left}"


def run(*, full: bool) -> Row:
    examples, steps = (200, 30) if full else (8, 12)
    VaultMachine.steps = VaultMachine.faults = 0
    run_state_machine_as_test(
        VaultMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            derandomize=not full,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=[
                HealthCheck.data_too_large,
                HealthCheck.filter_too_much,
                HealthCheck.large_base_example,
                HealthCheck.too_slow,
            ],
        ),
    )
    return Row(
        "O",
        f"Hypothesis: {examples} random lives of a vault of up to {steps} steps, two handles",
        VaultMachine.steps,
        f"{VaultMachine.faults:,} faults and deaths; the model was never left",
    )
