"""Key slots: the vault key, wrapped once for every secret that may open the vault.

A slot is a compact JWE around the vault key as a JWK (FORMAT.md section 3). Its key-encryption
key is a raw 32-byte key, or Argon2id over a passphrase within the bounds of section 6.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from interpal._hidden import Hidden
from interpal._tuples import NamedTuple
from interpal.exceptions import (
    ValidationError,
    VaultCorruptError,
    VaultFormatError,
    VaultLimitError,
)
from interpal.vault.format import header as fields
from interpal.vault.format import jwe

MAX_SLOTS = 8
MAX_PASSPHRASE_BYTES = 4096
SALT_BYTES = 16
ID_BYTES = 16

MIN_MEMORY_KIB = 8
MAX_MEMORY_KIB = 2**20
MAX_PASSES = 16
MAX_LANES = 16
MAX_SLOT_COST = 4 * 2**20  # KiB times passes: 4 GiB-passes
MAX_TOTAL_COST = 8 * 2**20

MAX_KID_BYTES = 64
_KID = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")


class _Numbers(NamedTuple):
    memory_kib: int
    passes: int
    lanes: int


class KdfParameters(_Numbers):
    """What Argon2id costs: memory in KiB, passes over it, lanes (threads).

    `DEFAULT` is the second recommended option of RFC 9106 section 4, `STRONG` four times its
    memory, `LOW_MEMORY` the OWASP floor. `INSECURE_FOR_TESTS` protects nothing.
    """

    __slots__ = ()

    DEFAULT: ClassVar[KdfParameters]
    STRONG: ClassVar[KdfParameters]
    LOW_MEMORY: ClassVar[KdfParameters]
    INSECURE_FOR_TESTS: ClassVar[KdfParameters]

    @property
    def cost(self) -> int:
        """Memory times passes, in KiB-passes: what the bounds of section 6 count."""
        return self.memory_kib * self.passes

    @property
    def is_weak(self) -> bool:
        """Below the OWASP floor of 19 MiB, 2 passes, 1 lane."""
        floor = KdfParameters.LOW_MEMORY
        return any(mine < least for mine, least in zip(self, floor, strict=True))

    def check_strong_enough(self) -> None:
        """Refuse to make a slot that is too weak, or that no reader would open.

        Raises `ValidationError` (FORMAT.md section 6, last paragraph).
        """
        if any(type(number) is not int for number in self):
            raise ValidationError("kdf: memory_kib, passes and lanes are integers")
        if self.is_weak and self != KdfParameters.INSECURE_FOR_TESTS:
            floor = KdfParameters.LOW_MEMORY
            raise ValidationError(
                f"kdf: too weak for a key slot; the least is {floor.memory_kib} KiB, "
                f"{floor.passes} passes, {floor.lanes} lane"
            )
        fault = _beyond_bounds(self)
        if fault is not None:
            raise ValidationError(f"kdf: {fault[0]} {fault[1]}")


KdfParameters.DEFAULT = KdfParameters(65536, 3, 4)
KdfParameters.STRONG = KdfParameters(262144, 3, 4)
KdfParameters.LOW_MEMORY = KdfParameters(19456, 2, 1)
KdfParameters.INSECURE_FOR_TESTS = KdfParameters(8, 1, 1)


class _SlotFields(NamedTuple):
    text: str
    kid: str
    vid: bytes
    iat: int
    kdf: KdfParameters | None
    salt: bytes | None


class Slot(_SlotFields):
    """One key slot: its text as it stands in the vault, and what its header says.

    `vid` is the id of the vault it was made for, `iat` when, in epoch seconds; `kdf` and
    `salt` are None where a raw key opens it. Nothing of it is authenticated before it opens.
    """

    sealed: jwe.JweParts | None = None
    """The parts of `text`, where they were read already."""

    @property
    def kind(self) -> Literal["passphrase", "key"]:
        """Which kind of secret opens it."""
        return "key" if self.kdf is None else "passphrase"


def parse_slot(text: str, field: str = "slot") -> Slot:
    """A slot from its compact JWE, without opening it.

    Raises `VaultFormatError`, or `VaultLimitError` for an Argon2id beyond the bounds; both
    name the member, with *field* before it.
    """
    slot = read_slot(text, field)
    check_bounds(slot, field)
    return slot


def read_slot(text: str, field: str = "slot") -> Slot:
    """`parse_slot` without the bounds of section 6."""
    try:
        sealed = jwe.from_compact(text)
    except ValueError as fault:
        raise VaultFormatError(f"not a vault: {field} {fault}") from None
    own = _own_slot(text, sealed)
    if own is not None:
        return own
    header = fields.json_object(Hidden(fields.decoded(sealed.protected, field)), field)
    prefix = f"{field}."
    optional = ("kdf",) if "kdf" in header else ()
    fields.exactly(header, ("alg", "enc", "cty", "kid", "vid", "iat", *optional), prefix)
    fields.constant(header["alg"], "A256KW", f"{prefix}alg")
    fields.constant(header["enc"], "A256GCM", f"{prefix}enc")
    fields.constant(header["cty"], "jwk+json", f"{prefix}cty")
    kid = fields.text(header["kid"], f"{prefix}kid")
    if not _is_kid(kid):
        raise VaultFormatError(f"not a vault: {prefix}kid is not 1 to 64 of A-Za-z0-9._-")
    kdf, salt = _read_kdf(header["kdf"], f"{prefix}kdf") if optional else (None, None)
    vid = fields.decoded(header["vid"], f"{prefix}vid", ID_BYTES)
    iat = fields.integer_within(header["iat"], f"{prefix}iat", 0, fields.MAX_TIME)
    return _with_parts(Slot(text, kid, vid, iat, kdf, salt), sealed)


def _is_kid(kid: str) -> bool:
    return 1 <= len(kid) <= MAX_KID_BYTES and _KID.issuperset(kid)


def _with_parts(slot: Slot, sealed: jwe.JweParts) -> Slot:
    slot.sealed = sealed
    return slot


def _own_slot(text: str, sealed: jwe.JweParts) -> Slot | None:
    """A slot whose header is to the letter as `make_slot` writes it, else None."""
    written = fields.own_text(sealed.protected)
    if written is None:
        return None
    pieces = written.split(b'"')
    kdf = salt = None
    try:
        kid, vid = pieces[15].decode("ascii"), jwe.b64decode_ascii(pieces[19])
        iat = fields.own_integer(pieces[22])
        if len(pieces) > _RAW_KEY_PIECES:
            memory, passes, lanes = map(fields.own_integer, pieces[32:38:2])
            kdf = KdfParameters(memory, passes, lanes)
            salt = jwe.b64decode_ascii(pieces[39])
    except (ValueError, IndexError):
        return None
    if (
        not 0 <= iat <= fields.MAX_TIME
        or len(vid) != ID_BYTES
        or (salt is not None and len(salt) != SALT_BYTES)
        or not _is_kid(kid)
        or _header_text(kid, vid, iat, kdf, salt) != written
    ):
        return None
    return _with_parts(Slot(text, kid, vid, iat, kdf, salt), sealed)


def _header_text(
    kid: str, vid: bytes, iat: int, kdf: KdfParameters | None, salt: bytes | None
) -> bytes:
    """The header of a slot as this package writes it: compact JSON."""
    derived = ""
    if kdf is not None and salt is not None:
        memory, passes, lanes = kdf
        derived = (
            f',"kdf":{{"name":"argon2id","v":19,"m":{memory},"t":{passes},"p":{lanes},'
            f'"salt":"{jwe.b64encode(salt)}"}}'
        )
    return (
        f'{{"alg":"A256KW","enc":"A256GCM","cty":"jwk+json","kid":"{kid}",'
        f'"vid":"{jwe.b64encode(vid)}","iat":{iat}{derived}}}'
    ).encode("ascii")


def _read_kdf(value: object, field: str) -> tuple[KdfParameters, bytes]:
    kdf = fields.as_object(value, field)
    prefix = f"{field}."
    fields.exactly(kdf, ("name", "v", "m", "t", "p", "salt"), prefix)
    fields.constant(kdf["name"], "argon2id", f"{prefix}name")
    fields.constant(kdf["v"], 19, f"{prefix}v")
    numbers = (fields.integer(kdf[name], f"{prefix}{name}") for name in ("m", "t", "p"))
    return KdfParameters(*numbers), fields.decoded(kdf["salt"], f"{prefix}salt", SALT_BYTES)


def check_bounds(slot: Slot, field: str = "slot") -> None:
    """Refuse Argon2id numbers that no reader may work with: `VaultLimitError`."""
    fault = None if slot.kdf is None else _beyond_bounds(slot.kdf)
    if fault is not None:
        raise VaultLimitError(f"the vault asks for too much: {field}.kdf.{fault[0]} {fault[1]}")


def _beyond_bounds(kdf: KdfParameters) -> tuple[str, str] | None:
    """The member that is beyond a bound of section 6, and what is wrong with it."""
    memory, passes, lanes = kdf
    if not 1 <= lanes <= MAX_LANES:
        return "p", f"is not within 1 and {MAX_LANES} lanes"
    if not 1 <= passes <= MAX_PASSES:
        return "t", f"is not within 1 and {MAX_PASSES} passes"
    least = MIN_MEMORY_KIB * lanes
    if not least <= memory <= MAX_MEMORY_KIB:
        return "m", f"is not within {least} and {MAX_MEMORY_KIB} KiB"
    if kdf.cost > MAX_SLOT_COST:
        return "m", f"times t is over {MAX_SLOT_COST // 2**20} GiB-passes"
    return None


def normalise_passphrase(text: str) -> Hidden[bytes]:
    """The bytes of a passphrase: NFC, UTF-8. Raises `ValidationError` where there are none."""
    import unicodedata

    if not isinstance(text, str):
        raise ValidationError("the passphrase is not text")
    try:
        passphrase = Hidden(unicodedata.normalize("NFC", text).encode())
    except UnicodeEncodeError:
        passphrase = None
    # Raised outside the handler: the error of the codec carries the passphrase.
    if passphrase is None:
        raise ValidationError("the passphrase holds bytes that are not UTF-8 (lone surrogates)")
    size = len(passphrase.reveal())
    if not size:
        raise ValidationError("the passphrase is empty")
    if size > MAX_PASSPHRASE_BYTES:
        raise ValidationError(f"the passphrase is longer than {MAX_PASSPHRASE_BYTES} bytes")
    return passphrase


def derive_key(passphrase: Hidden[bytes], salt: bytes, kdf: KdfParameters) -> Hidden[bytes]:
    """Argon2id (RFC 9106, version 0x13) of a normalised passphrase: 32 bytes.

    Raises `VaultLimitError` where the machine has not the memory or the threads.
    """
    from argon2.exceptions import HashingError
    from argon2.low_level import Type, hash_secret_raw

    try:
        return Hidden(
            hash_secret_raw(
                secret=passphrase.reveal(),
                salt=salt,
                time_cost=kdf.passes,
                memory_cost=kdf.memory_kib,
                parallelism=kdf.lanes,
                hash_len=jwe.KEY_BYTES,
                type=Type.ID,
                version=19,
            )
        )
    except (MemoryError, HashingError):
        raise VaultLimitError(
            f"Argon2id could not run: this key slot needs {-(-kdf.memory_kib // 1024)} MiB of "
            f"memory and {kdf.lanes} threads; allow the process more, or create the slot again "
            "with lower settings on a larger machine"
        ) from None


def make_slot(
    vault_key: Hidden[bytes],
    *,
    key: Hidden[bytes],
    kid: str,
    vid: bytes,
    iat: int,
    kdf: KdfParameters | None,
    salt: bytes | None,
    content_key: Hidden[bytes],
    iv: bytes,
) -> Slot:
    """Wrap *vault_key* for the owner of the 32-byte key-encryption key *key*.

    For a passphrase, *key* is what `derive_key` gave for *salt* and *kdf*; for a raw key both
    are None. *content_key* and *iv* are fresh random bytes. Raises `ValidationError`.
    """
    if not _is_kid(kid):
        raise ValidationError("kid: a slot's name is 1 to 64 of A-Za-z0-9._-")
    if not 0 <= iat <= fields.MAX_TIME:
        raise ValidationError("iat: not a time that the format can hold")
    if any(len(secret.reveal()) != jwe.KEY_BYTES for secret in (vault_key, key)):
        raise ValidationError("key: a raw key has 32 bytes")
    if len(vid) != ID_BYTES or (salt is not None and len(salt) != SALT_BYTES):
        raise ValidationError("vid and salt have 16 bytes")
    if (kdf is None) != (salt is None):
        raise ValidationError("kdf and salt go together")
    if kdf is not None:
        kdf.check_strong_enough()
    protected = jwe.b64encode(_header_text(kid, vid, iat, kdf, salt))
    sealed = jwe.seal(protected, _to_jwk(vault_key), key, content_key=content_key, iv=iv)
    return Slot(jwe.to_compact(sealed), kid, vid, iat, kdf, salt)


def open_slot(slot: Slot, key: Hidden[bytes]) -> Hidden[bytes] | None:
    """The vault key, or None where *key* (32 bytes) does not open the slot.

    Raises `VaultCorruptError` where the slot opens and holds no key of the format.
    """
    try:
        plaintext = jwe.unseal(slot.sealed or jwe.from_compact(slot.text), key)
    except jwe.NotAuthenticError:
        return None
    vault_key = _from_jwk(plaintext)
    if vault_key is None:
        raise VaultCorruptError(f"the vault is damaged: key slot {slot.kid!r} holds no vault key")
    return vault_key


# Of a header without `kdf`, cut at its quotes.
_RAW_KEY_PIECES = 23

# A key as this package writes it: `_from_jwk` need not parse it.
_JWK_BEGIN, _JWK_END = b'{"kty":"oct","alg":"A256KW","k":"', b'"}'


def _to_jwk(vault_key: Hidden[bytes]) -> Hidden[bytes]:
    return Hidden(_JWK_BEGIN + jwe.b64encode(vault_key.reveal()).encode("ascii") + _JWK_END)


def _from_jwk(plaintext: Hidden[bytes]) -> Hidden[bytes] | None:
    if plaintext.reveal().startswith(_JWK_BEGIN) and plaintext.reveal().endswith(_JWK_END):
        try:
            own = Hidden(jwe.b64decode_ascii(plaintext.reveal()[len(_JWK_BEGIN) : -len(_JWK_END)]))
        except ValueError:
            own = None
        if own is not None:
            return own if len(own.reveal()) == jwe.KEY_BYTES else None
    try:
        jwk = jwe.parse_json(plaintext.reveal(), max_depth=fields.MAX_DEPTH)
        if not isinstance(jwk, dict) or jwk.keys() != {"kty", "alg", "k"}:
            return None
        if (jwk["kty"], jwk["alg"]) != ("oct", "A256KW") or not isinstance(jwk["k"], str):
            return None
        vault_key = Hidden(jwe.b64decode(jwk["k"]))
    except ValueError:
        return None
    return vault_key if len(vault_key.reveal()) == jwe.KEY_BYTES else None
