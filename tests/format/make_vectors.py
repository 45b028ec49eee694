"""Makes the project's own vectors in tests/vectors: `python -m tests.format.make_vectors`.

Each has one fault, or none. A second run writes the same bytes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from interpal.vault.format import jwe
from tests.format.maker import (
    GIB,
    KEY,
    PASSPHRASE,
    PAYLOAD,
    RECORD,
    RECORDS,
    Change,
    Maker,
    cut,
    flipped,
    loose_end,
    named,
    nested,
    payload,
    replaced,
    sized,
)
from tests.format.opening import VECTORS

if TYPE_CHECKING:
    from collections.abc import Iterator


def faults_of_the_file() -> Iterator[tuple[str, str, str, Change]]:
    yield "file-bom", "a byte-order mark", "format", {"text": lambda t: "\ufeff" + t}
    yield "file-trailing", "a second object", "format", {"text": lambda t: t + "{}"}
    yield "file-trailing-nul", "a NUL byte after the end", "format", {"text": lambda t: t + "\0"}
    yield "file-list", "the object in a list", "format", {"text": lambda t: f"[{t}]"}
    yield "file-truncated", "the last brace is missing", "format", {"text": lambda t: t[:-1]}
    yield "file-twice", "tag is there twice", "format", {"text": lambda t: t[:-1] + ',"tag":""}'}
    yield "file-no-tag", "tag is missing", "format", {"members": {"tag": ...}}
    yield "file-null", "tag is null", "format", {"members": {"tag": None}}
    yield "file-no-protected", "protected is missing", "format", {"members": {"protected": ...}}
    for name in ("protected", "encrypted_key", "iv", "ciphertext", "tag"):
        for kind, change in (
            ("padded", lambda text: text + "="),
            ("plus", lambda text: "+" + text[1:]),
            ("space", lambda text: text[:8] + " " + text[8:]),
        ):
            fault = {"members": {name: change}}
            yield f"file-{name}-{kind}", f"{name} is not base64url: {kind}", "format", fault
    yield "file-tag-loose", "tag is not canonical", "format", {"members": {"tag": loose_end}}
    for name in ("encrypted_key", "iv", "tag"):
        fault = {"members": {name: cut(1)}}
        yield f"file-{name}-short", f"{name} is a byte short", "format", fault
        fault = {"members": {name: flipped}}
        yield f"file-{name}-flipped", f"a bit of {name} flipped", "corrupt", fault
    yield (
        "file-version-2-seven-members",
        "another version is told before a sixth member",
        "version",
        {"vault": {"version": 2}, "members": {"recipients": []}},
    )
    for levels, error in ((8, "version"), (9, "format")):
        inner = "[" * (levels - 1) + "]" * (levels - 1)
        yield (
            f"file-version-2-nested-{levels}",
            f"another version, {levels} deep",
            error,
            {"vault": {"version": 2}, "text": lambda t, inner=inner: f'{t[:-1]}, "x": {inner}}}'},
        )


def faults_of_the_header() -> Iterator[tuple[str, str, str, Change]]:
    def swap(name: str, old: str, new: str) -> tuple[str, str, str, Change]:
        return f"header-{name}", f"{old} -> {new}", "format", {"header_text": replaced(old, new)}

    yield swap("float", '"generation": 1', '"generation": 1.0')
    yield swap("exponent", '"generation": 1', '"generation": 1e0')
    yield swap("nan", '"generation": 1', '"generation": NaN')
    yield swap("twice", '"generation": 1', '"generation": 1, "generation": 1')
    yield swap("comma", '"cty": "json",', '"cty": "json",,')
    deep = "[" * 9 + "]" * 9
    yield swap("deep", '"cty": "json"', f'"cty": "json", "x": {deep}')
    members: list[tuple[str, Any]] = [
        ("generation", True),
        ("generation", 0),
        ("generation", 2**53),
        ("generation", "1"),
        ("created_at", -1),
        ("updated_at", 253402300800),
        ("version", "1"),
        ("version", True),
        ("version", None),
        ("slots", []),
        ("slots", {}),
        ("slots", [1]),
        ("commitment", ...),
        ("note", "x"),
    ]
    for name, value in members:
        told = "missing" if value is ... else json.dumps(value)
        label = told.strip('"[]{}').replace("-", "minus-") or type(value).__name__
        yield (
            f"vault-{name}-{label}",
            f"vault.{name} is {told}",
            "format",
            {"vault": {name: value}},
        )
    members = [
        ("typ", "JOSE"),
        ("alg", "A128KW"),
        ("alg", "dir"),
        ("enc", "A128GCM"),
        ("cty", "jwk+json"),
        ("zip", "DEF"),
        ("crit", ["vault"]),
        ("cty", ...),
    ]
    for name, value in members:
        told = "missing" if value is ... else json.dumps(value)
        label = told.strip('"[]').lower().replace("+", "-")
        yield f"header-{name}-{label}", f"{name} is {told}", "format", {"header": {name: value}}
    yield "vault-id-short", "vault.id has 15 bytes", "format", {"vault": {"id": cut(1)}}
    yield (
        "vault-commitment-short",
        "vault.commitment has 31 bytes",
        "format",
        {"vault": {"commitment": cut(1)}},
    )
    yield (
        "vault-commitment-flipped",
        "a bit of the commitment flipped",
        "corrupt",
        {"vault": {"commitment": flipped}},
    )
    yield "version-0", "a version that never was", "version", {"vault": {"version": 0}}
    yield (
        "version-huge",
        "a version of a hundred digits",
        "version",
        {"header_text": replaced('"version": 1', '"version": ' + "9" * 100)},
    )
    yield (
        "header-too-large",
        "a header of 64 KiB and one byte",
        "limit",
        {"header_text": lambda text: text.ljust(64 * 1024 + 1)},
    )
    yield (
        "header-too-large-plus",
        "text for 64 KiB and one byte that is not base64url",
        "limit",
        {"members": {"protected": "+" * 87_383}},
    )
    yield (
        "header-version-2-surrogate",
        "half a surrogate pair is told before another version",
        "format",
        {"vault": {"version": 2, "note": "\ud83d"}},
    )


SLOT_FAULTS: list[tuple[str, str, str, Change]] = [
    ("kid-empty", "kid is empty", "format", {"change": {"kid": ""}}),
    ("kid-long", "kid has 65 characters", "format", {"change": {"kid": "k" * 65}}),
    ("kid-slash", "kid holds a slash", "format", {"change": {"kid": "a/b"}}),
    ("kid-newline", "kid ends in a newline", "format", {"change": {"kid": "a\n"}}),
    ("unknown", "a member nobody knows", "format", {"change": {"note": 1}}),
    ("no-iat", "iat is missing", "format", {"change": {"iat": ...}}),
    ("iat-minus", "iat is before 1970", "format", {"change": {"iat": -1}}),
    ("iat-late", "iat is after the year 9999", "format", {"change": {"iat": 253402300800}}),
    ("iat-true", "iat is true", "format", {"change": {"iat": True}}),
    ("alg", "alg is dir", "format", {"change": {"alg": "dir"}}),
    ("vid-short", "vid has 15 bytes", "format", {"change": {"vid": cut(1)}}),
    ("vid-other", "made for another vault", "corrupt", {"change": {"vid": flipped}}),
    ("four-parts", "four parts", "format", {"text": lambda t: t.rpartition(".")[0]}),
    ("six-parts", "six parts", "format", {"text": lambda t: t + "."}),
    ("tag-short", "a short tag", "format", {"text": lambda t: t[:-2]}),
    ("tag-loose", "tag is not canonical", "format", {"text": loose_end}),
    ("kdf-null", "kdf is null", "format", {"change": {"kdf": None}}),
    ("kdf-name", "argon2i", "format", {"kdf": {"name": "argon2i"}}),
    ("kdf-v", "version 16 of Argon2", "format", {"kdf": {"v": 16}}),
    ("kdf-unknown", "a member nobody knows", "format", {"kdf": {"x": 1}}),
    ("kdf-salt-short", "a salt of 15 bytes", "format", {"kdf": {"salt": cut(1)}}),
    ("kdf-m-float", "m is 8.0", "format", {"kdf": {"m": 8.0}}),
    ("kdf-m-true", "m is true", "format", {"kdf": {"m": True}}),
    ("kdf-m-text", "m is a string", "format", {"kdf": {"m": "8"}}),
    ("kdf-m-low", "m is below 8", "limit", {"kdf": {"m": 7}}),
    ("kdf-m-below-lanes", "m is below 8 p", "limit", {"kdf": {"m": 31, "p": 4}}),
    ("kdf-m-high", "m is over 1 GiB", "limit", {"kdf": {"m": GIB + 1}}),
    ("kdf-m-huge", "m has 60 digits", "limit", {"kdf": {"m": 10**60}}),
    ("kdf-t-low", "t is 0", "limit", {"kdf": {"t": 0}}),
    ("kdf-t-high", "t is 17", "limit", {"kdf": {"t": 17}}),
    ("kdf-p-low", "p is 0", "limit", {"kdf": {"p": 0}}),
    ("kdf-p-high", "p is 17", "limit", {"kdf": {"p": 17, "m": 1024}}),
    ("kdf-cost", "over 4 GiB-passes", "limit", {"kdf": {"m": GIB, "t": 5}}),
    ("jwk-kty", "the plaintext is no oct key", "corrupt", {"jwk": {"kty": "RSA"}}),
    ("jwk-alg", "the key is for something else", "corrupt", {"jwk": {"alg": "A128KW"}}),
    ("jwk-short", "a vault key of 31 bytes", "corrupt", {"jwk": {"k": cut(1)}}),
    ("jwk-unknown", "a member nobody knows", "corrupt", {"jwk": {"use": "enc"}}),
]


SALT = jwe.b64encode(bytes(range(16)))

REFUSED_LOGINS: dict[str, dict[str, Any]] = {
    "maple_ink": {
        "until": 1795332960,
        "tag": "0a1b2",
        "count": 3,
        "kind": "password",
        "forget_at": 1795419360,
    },
    "pedro_k": {"until": 1795332960, "kind": "rate-limit", "forget_at": 1795332960},
    "never": {"until": 253402300799, "count": 2**53 - 1, "kind": "k" * 32},
    "anna": {"until": 0, "count": 1, "kind": "7", "forget_at": 253402300799},
}


def with_floats(count: int) -> str:
    """A record of that many bytes as compact JSON, with numbers that programs write differently."""
    note = "x" * (count - len('{"note":"","b":[1.0,-0.0,1e-05,1e+16]}'))
    return f'{{"records": {{"maple_ink": {{"note": "{note}", "b": [1.00, -0.0, 1e-5, 1E16]}}}}}}'


def faults_of_the_payload() -> Iterator[tuple[str, str, str | bytes]]:
    yield "empty", "no bytes at all", ""
    yield "list", "a list", "[]"
    yield "no-records", "no records member", "{}"
    yield "unknown", "a third member", payload(note={})
    yield "trailing", "bytes after the object", PAYLOAD + "x"
    yield "bom", "a byte-order mark", "\ufeff" + PAYLOAD
    yield (
        "not-utf8",
        "a byte that is not UTF-8",
        PAYLOAD.replace("maple", "m\udcffple").encode(errors="surrogateescape"),
    )
    yield "name-twice", "one name twice", '{"records": {"a": {}, "a": {}}}'
    yield "name-twice-escaped", "one name twice, once escaped", '{"records":{"a":{},"\\u0061":{}}}'
    yield "member-twice", "a record's member twice", '{"records": {"a": {"b": 1, "b": 1}}}'
    yield "deep-twice", "a member twice, deep in", '{"records":{"a":{"b":{"c":[{"d":1,"d":1}]}}}}'
    yield "records-twice", "records twice", '{"records": {}, "records": {}}'
    yield "nan", "NaN", '{"records": {"a": {"b": NaN}}}'
    yield "infinity", "a number that overflows", '{"records": {"a": {"b": 1e999}}}'
    yield "integer", "2^53 + 1", payload({"b": 2**53 + 1})
    yield "integer-minus", "-2^53 - 1", payload({"b": -(2**53) - 1})
    yield "record-list", "a record that is a list", payload([])
    yield "record-null", "a record that is null", '{"records": {"a": null}}'
    yield "record-large", "a record of 64 KiB and one byte", payload(sized(65537))
    floats = with_floats(65_537)
    yield "record-large-floats", "a record of 64 KiB and one byte with four floats", floats
    yield "record-deep", "a record 65 deep", payload(nested(65))
    yield "very-deep", "5,000 lists", '{"records":{"a":{"b":' + "[" * 5_000
    yield "name-empty", "an empty name", named("")
    yield "name-long", "a name of 1,025 bytes", named("n" * 1025)
    yield "name-long-utf8", "a name of 342 characters, 1,026 bytes", named("\u20ac" * 342)
    yield "name-control", "a newline in a name", named("a\n")
    yield "name-delete", "DEL in a name", named("a\x7f")
    yield "name-c1", "a C1 control character in a name", named("a\x9b")
    yield "name-surrogate", "half a surrogate pair in a name", named("a\ud83d")
    yield "value-surrogate", "half a surrogate pair in a value", payload({"b": "\ud83d"})
    yield "attempts-list", "attempts is a list", payload(attempts=[])
    for label, attempt in (
        ("null", None),
        ("no-until", {"tag": "0a1b2"}),
        ("float", {"until": 1795332901.5}),
        ("true", {"until": True}),
        ("minus", {"until": -1}),
        ("tag", {"until": 1, "tag": "0a1b"}),
        ("tag-hex", {"until": 1, "tag": "0a1bg"}),
        ("unknown", {"until": 1, "note": ""}),
        ("count-0", {"until": 1, "count": 0}),
        ("count-float", {"until": 1, "count": 1.0}),
        ("count-true", {"until": 1, "count": True}),
        ("count-huge", {"until": 1, "count": 2**53}),
        ("kind-empty", {"until": 1, "kind": ""}),
        ("kind-long", {"until": 1, "kind": "k" * 33}),
        ("kind-upper", {"until": 1, "kind": "Password"}),
        ("kind-newline", {"until": 1, "kind": "password\n"}),
        ("kind-null", {"until": 1, "kind": None}),
        ("forget-early", {"until": 2, "forget_at": 1}),
        ("forget-float", {"until": 1, "forget_at": 1.5}),
        ("forget-true", {"until": 1, "forget_at": True}),
        ("forget-late", {"until": 1, "forget_at": 253402300800}),
    ):
        yield f"attempt-{label}", f"an attempt: {attempt}", payload(attempts={"a": attempt})
    yield "salt-short", "a salt of 15 bytes", payload(salt=SALT[:-2])
    yield "salt-long", "a salt of 17 bytes", payload(salt=SALT[:-1] + "AA")
    yield "salt-padded", "a salt with padding", payload(salt=SALT + "==")
    yield "salt-loose", "a salt that is not canonical", payload(salt=loose_end(SALT))
    yield "salt-null", "a salt that is null", payload(salt=None)
    yield "salt-list", "a salt that is a list of bytes", payload(salt=[*range(16)])
    yield "salt-twice", "the salt is there twice", payload(salt=SALT)[:-1] + f', "salt": "{SALT}"}}'


def sound() -> Iterator[tuple[str, str, dict[str, Any], Change]]:
    yield "empty", "no records", {}, {"payload": '{"records": {}}'}
    yield (
        "spaces",
        "white space wherever JSON has it",
        RECORDS,
        {
            "payload": ' {\n"records"\t:\r\n' + json.dumps(RECORDS, indent=3) + " } \n",
            "text": lambda text: json.dumps(dict(reversed(json.loads(text).items())), indent=4),
        },
    )
    yield (
        "header-full",
        "a header of exactly 64 KiB",
        RECORDS,
        {"header_text": lambda text: text.ljust(64 * 1024)},
    )
    full = {"maple_ink": sized(65536)}
    yield "record-full", "a record of exactly 64 KiB", full, {"payload": payload(full["maple_ink"])}
    made = with_floats(65_536)
    comment = "a record of exactly 64 KiB with four floats"
    yield "record-full-floats", comment, json.loads(made)["records"], {"payload": made}
    deep = {"maple_ink": nested(64)}
    yield "record-deepest", "a record 64 deep", deep, {"payload": payload(deep["maple_ink"])}
    long = {"\u00e9" * 512: RECORD}
    yield "name-longest", "a name of 1,024 bytes", long, {"payload": json.dumps({"records": long})}
    numbers = {"maple_ink": {"a": 2**53, "b": -(2**53), "c": 0.5, "d": 1e300, "e": [True, None]}}
    yield "numbers", "numbers at their bounds", numbers, {"payload": payload(numbers["maple_ink"])}
    text = {"maple_ink": {"\U0001f41f": '\u00e9 \U0001f41f " \\ \n \x00 {":":[": "]}'}}
    yield "text", "text of every kind, escaped", text, {"payload": payload(text["maple_ink"])}
    attempts = {"maple_ink": {"until": 1795332960, "tag": "0a1b2"}, "b": {"until": 1795332960}}
    yield "attempts", "refused logins", RECORDS, {"payload": payload(attempts=attempts)}


def vectors() -> Iterator[tuple[str, dict[str, Any]]]:
    def refused(name: str, comment: str, error: str, file: str, **secret: str) -> Any:
        secret = secret or {"key": jwe.b64encode(KEY)}
        return name, {"comment": comment, "file": file, **secret, "expect": {"error": error}}

    for faults in (faults_of_the_file, faults_of_the_header):
        for name, comment, error, change in faults():
            yield refused(name, comment, error, Maker(name).file(**change))
    for label, comment, error, change in SLOT_FAULTS:
        maker = Maker(f"slot-{label}")
        # The good slot comes second: it must not be reached, or not be looked at.
        both = [maker.slot(**change), maker.slot({"kid": "good"})]
        yield refused(f"slot-{label}", f"slot: {comment}", error, maker.file(slots=both))
    for label, comment, text in faults_of_the_payload():
        file = Maker(f"payload-{label}").file(payload=text)
        yield refused(f"payload-{label}", f"payload: {comment}", "corrupt", file)
    maker = Maker("slots-nine")
    nine = [maker.slot({"kid": f"k{number}"}) for number in range(9)]
    yield refused("slots-nine", "nine slots", "limit", maker.file(slots=nine))
    maker = Maker("slots-bound-then-kid")
    two = [maker.slot(kdf={"m": 7}), maker.slot({"kid": "a/b"})]
    comment = "a bound in one slot, after it a kid that holds a slash"
    yield refused("slots-bound-then-kid", comment, "format", maker.file(slots=two))
    maker = Maker("slot-header-twice")
    slot = maker.slot(header_text=replaced('"iat"', '"iat": 1, "iat"'))
    yield refused(
        "slot-header-twice", "slot: iat is there twice", "format", maker.file(slots=[slot])
    )
    maker = Maker("slot-jwk-twice")
    slot = maker.slot(jwk_text=replaced('"kty"', '"kty": "oct", "kty"'))
    yield refused(
        "slot-jwk-twice", "slot: the key's kty is there twice", "corrupt", maker.file(slots=[slot])
    )
    maker = Maker("slots-kid-twice")
    yield refused(
        "slots-kid-twice", "one kid twice", "format", maker.file(slots=[maker.slot()] * 2)
    )
    maker = Maker("slot-tampered")
    tampered = maker.slot(text=lambda text: text[:-4] + ("AAAA" if text[-4] != "A" else "BBBA"))
    yield refused(
        "slot-tampered", "a tampered slot is a wrong key", "wrong-key", maker.file(slots=[tampered])
    )
    maker = Maker("slots-budget")
    costly = [maker.slot({"kid": f"k{n}"}, kdf={"m": GIB, "t": 4}) for n in range(3)]
    file = maker.file(slots=[*costly, maker.slot()])
    yield refused(
        "slots-budget", "12 GiB-passes to try them all", "limit", file, passphrase=PASSPHRASE
    )
    yield accepted("slots-budget-key", "a raw key tries no costly slot", RECORDS, file)
    for label, comment, records, change in sound():
        yield accepted(f"sound-{label}", comment, records, Maker(f"sound-{label}").file(**change))
    for label, comment, members in (
        ("salt", "a salt of the login locks", {"salt": SALT}),
        ("refusals", "refused logins that are counted", {"attempts": REFUSED_LOGINS}),
        ("all-members", "every member", {"attempts": REFUSED_LOGINS, "salt": SALT}),
    ):
        name, vector = accepted(
            f"sound-{label}",
            comment,
            RECORDS,
            Maker(f"sound-{label}").file(payload=payload(**members)),
        )
        vector["expect"].update(members)
        yield name, vector
    maker = Maker("sound-eight-slots")
    eight = [maker.slot({"kid": f"k{number}"}, secret=bytes(32)) for number in range(6)]
    eight += [maker.passphrase_slot("p", "another"), maker.passphrase_slot("q")]
    yield accepted(
        "sound-eight-slots", "the last of eight", RECORDS, maker.file(slots=eight), PASSPHRASE
    )
    maker = Maker("sound-nfc")
    file = maker.file(slots=[maker.passphrase_slot("p", "pass\u00e9")])
    yield accepted("sound-nfc", "a passphrase typed as NFD", RECORDS, file, "passe\u0301")


def accepted(
    name: str, comment: str, records: dict[str, Any], file: str, passphrase: str | None = None
) -> tuple[str, dict[str, Any]]:
    secret = {"passphrase": passphrase} if passphrase else {"key": jwe.b64encode(KEY)}
    return name, {"comment": comment, "file": file, **secret, "expect": {"records": records}}


def main() -> None:
    for name, vector in vectors():
        text = json.dumps(vector, indent=1) + "\n"
        (VECTORS / f"{name}.json").write_text(text, encoding="ascii")


if __name__ == "__main__":
    main()
