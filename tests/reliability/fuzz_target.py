"""What is fuzzed: every place where bytes from a file are read, the ones behind the keys included.

The first byte chooses the place, the rest is what is read there. Anything but an error of the
package is a finding. `fuzzing.py` runs it.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from interpal._hidden import Hidden
from interpal.exceptions import InterpalException
from interpal.vault.format import envelope, jwe, key_slots, legacy_file, record_envelope
from interpal.vault.format.payload import decode_payload, encode_payload
from interpal.vault.health import report
from tests.format.opening import VECTORS, open_vault

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = bytes(range(32))
VAULT_KEY = bytes(range(32, 64))
VAULT_ID = bytes(range(16))
NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
_CONTENT_KEY, _IV, _TAG = bytes(32), bytes(12), bytes(32)


def whole_file(data: bytes) -> None:
    """As `inspect` and as the reader see a file."""
    parsed = report.parsed("fuzz", Hidden(data))
    for slot in parsed.header.slots:
        repr(report.slot_report(slot))
    report.from_epoch(parsed.header.created_at)
    report.from_epoch(parsed.header.updated_at)
    open_vault(data, key=KEY)


def header_of_a_file(data: bytes) -> None:
    """The protected header, which is two layers of base64 away from the file's bytes."""
    members = {"encrypted_key": bytes(40), "iv": _IV, "ciphertext": b"", "tag": bytes(16)}
    encoded = {name: jwe.b64encode(value) for name, value in members.items()}
    whole_file(json.dumps({"protected": jwe.b64encode(data), **encoded}).encode())


def slot_header(data: bytes) -> None:
    compact = [jwe.b64encode(part) for part in (data, bytes(40), _IV, bytes(50), bytes(16))]
    key_slots.parse_slot(".".join(compact))


def slot_content(data: bytes) -> None:
    """What is in a slot, sealed as it must be."""
    made = key_slots.make_slot(
        Hidden(VAULT_KEY), key=Hidden(KEY), kid="a", vid=VAULT_ID, iat=1, kdf=None, salt=None,
        content_key=Hidden(_CONTENT_KEY), iv=_IV,
    )  # fmt: skip
    protected = made.text.partition(".")[0]
    sealed = jwe.seal(
        protected, Hidden(data), Hidden(KEY), content_key=Hidden(_CONTENT_KEY), iv=_IV
    )
    key_slots.open_slot(made._replace(text=jwe.to_compact(sealed)), Hidden(KEY))


def payload(data: bytes) -> None:
    """The content of a vault once it was decrypted; what is taken can be written again."""
    try:
        text = Hidden(data.decode())
    except UnicodeDecodeError:
        text = None
    content, fault = decode_payload(text)
    if fault is None:
        again, fault = decode_payload(jwe.text_of(encode_payload(content)))
        assert fault is None, fault
        assert again.records == content.records
        for name, one in content.records.items():
            report.account(name, one)


def record_of_its_own(data: bytes) -> None:
    record_envelope.open_record(data, Hidden(VAULT_KEY), vault_id=VAULT_ID, tag=_TAG)


def plain_file(data: bytes) -> None:
    legacy_file.classify(data)
    legacy_file.parse(data, default_name=None, local=None, now=NOW, lifetime=timedelta(hours=24))


PLACES: tuple[Callable[[bytes], None], ...] = (
    whole_file, header_of_a_file, slot_header, slot_content, payload, record_of_its_own, plain_file,
)  # fmt: skip


def one_input(data: bytes) -> None:
    """Read *data*. Raises where something else than an error of the package comes of it."""
    if data:
        try:
            PLACES[data[0] % len(PLACES)](data[1:])
        except InterpalException as error:
            str(error)


def seeds() -> list[bytes]:
    """Inputs to begin with: the test vectors, and the good parts of a vault for each place."""
    files = [json.loads(path.read_text())["file"] for path in sorted(VECTORS.glob("*.json"))]
    raw = [text.encode("utf-8", "surrogateescape") for text in files]
    found = [b"\0" + data for data in raw] + [b"\6" + data for data in raw[:3]]
    for data in raw:
        try:
            outer = envelope.parse(data)
        except InterpalException:
            continue
        protected = jwe.b64decode(outer.sealed.protected)
        found.append(b"\1" + protected)
        found += [b"\2" + jwe.b64decode(slot.text.partition(".")[0]) for slot in outer.header.slots]
    found.append(b"\3" + b'{"kty":"oct","alg":"A256KW","k":"' + b"A" * 43 + b'"}')
    content = (
        b'{"records":{"maple_ink":{"session_cookie":"x","n":1.5,"expires_at":"2026-01-01T00:00:00Z",'
        b'"d":[[{"a":null}],true]}},"attempts":{"a":{"until":5,"tag":"0a0a0"}}}'
    )
    found += [b"\4" + text for text in (b'{"records":{}}', content)]
    made = record_envelope.seal_record(
        "maple_ink", {"a": 1}, Hidden(VAULT_KEY), vault_id=VAULT_ID, tag=_TAG, generation=1,
        content_key=Hidden(_CONTENT_KEY), iv=_IV,
    )  # fmt: skip
    found.append(b"\5" + made)
    found.append(b'\6{"session_cookie":"abc","auth_token":"t","created_at":"2026-01-01T00:00:00"}')
    return found
