/**
 * Reads a vault. It was written from docs/format.md alone, and "section" means a section of it.
 *
 *     const envelope = parse(bytes);                        // without a key
 *     const { records } = await open(bytes, { key });       // or { passphrase }
 */

import { createHmac, timingSafeEqual } from "node:crypto";

import { argon2id } from "hash-wasm";
import { compactDecrypt, errors, flattenedDecrypt } from "jose";

import { compact, depthOf, isObject, parse as parseJson } from "./strict-json.mjs";

const MEMBERS = ["protected", "encrypted_key", "iv", "ciphertext", "tag"];
const LENGTHS = { encrypted_key: 40, iv: 12, tag: 16 };

const FILE_BYTES = 256 * 2 ** 20;
const HEADER_BYTES = 64 * 2 ** 10;
const HEADER_DEPTH = 8;
const RECORD_BYTES = 64 * 2 ** 10;
const RECORD_DEPTH = 64;
const ENTRIES = 1_000_000;
const SLOTS = 8;
const LATEST = 253402300799n;
const COUNTS = 2n ** 53n - 1n;
const INTEGERS = 2n ** 53n;

// Section 6. Costs are KiB of memory times passes.
const MEMORY = { least: 8n, most: 1_048_576n, forEachLane: 8n };
const PASSES = { least: 1n, most: 16n };
const LANES = { least: 1n, most: 16n };
const COST_OF_A_SLOT = 4n * 2n ** 20n;
const COST_OF_ALL = 8n * 2n ** 20n;

/** What is wrong with a vault. `kind` is format, version, limit, wrong-key or corrupt. */
export class VaultError extends Error {
  constructor(kind, message) {
    super(message);
    this.name = "VaultError";
    this.kind = kind;
  }
}

/**
 * What a vault says without a key: `{ file, header, slots }`, checked by steps 1 to 3 of section 5.
 *
 * `file` has the five members as they stand in the file, `header` the decoded header. Each of
 * `slots` is `{ jwe, kid, vid, iat, kdf }`, and `kdf` is undefined where a raw key opens the slot.
 * Integers are BigInt. Throws VaultError: format, version or limit.
 */
export function parse(bytes) {
  const wrong = faults("format");
  if (bytes.length > FILE_BYTES) throw new VaultError("limit", "the file is too large");
  const file = json(bytes, { depth: HEADER_DEPTH }, wrong, "the file");
  wrong.unless(isObject(file), "the file is not an object");
  wrong.unless(typeof file.protected === "string", "protected is not a string");
  const longest = Math.ceil((HEADER_BYTES * 4) / 3);
  if (file.protected.length > longest) throw new VaultError("limit", "the header is too large");
  const encoded = decode(file.protected, wrong, "protected");
  const header = json(encoded, { depth: HEADER_DEPTH }, wrong, "the header");

  wrong.unless(isObject(header) && header.typ === "interpal-vault", "this is not a vault");
  const version = isObject(header.vault) ? header.vault.version : undefined;
  wrong.unless(typeof version === "bigint", "the vault has no version");
  if (version !== 1n) throw new VaultError("version", "its version is not 1");
  wrong.members(file, MEMBERS, [], "the file");
  wrong.members(header, ["typ", "alg", "enc", "cty", "vault"], [], "the header");
  wrong.members(
    header.vault,
    ["version", "id", "generation", "created_at", "updated_at", "commitment", "slots"],
    [],
    "the header's vault",
  );

  checkAlgorithms(header, "json", wrong, "the header");
  checkParts(file, wrong, "the file");
  const { vault } = header;
  decode(vault.id, wrong, "id", 16);
  decode(vault.commitment, wrong, "commitment", 32);
  wrong.integer(vault.generation, 1n, COUNTS, "generation");
  wrong.integer(vault.created_at, 0n, LATEST, "created_at");
  wrong.integer(vault.updated_at, 0n, LATEST, "updated_at");
  wrong.unless(Array.isArray(vault.slots) && vault.slots.length > 0, "there are no key slots");
  if (vault.slots.length > SLOTS) throw new VaultError("limit", "there are too many key slots");
  const slots = vault.slots.map((jwe, index) => parseSlot(jwe, wrong, `key slot ${index + 1}`));
  const labels = new Set(slots.map(({ kid }) => kid));
  wrong.unless(labels.size === slots.length, "two key slots have the same label");
  slots.forEach(({ kdf }, index) => checkBounds(kdf, `key slot ${index + 1}`));
  return { file, header, slots };
}

/**
 * The content of a vault: `{ records, attempts, salt, header }`.
 *
 * `secret` has either `key`, 32 bytes, or `passphrase`, a string. `records` and `attempts` are
 * objects by name, `salt` is 16 bytes or undefined. Throws VaultError, and TypeError or RangeError
 * for a secret that no vault can have.
 */
export async function open(bytes, { key, passphrase }) {
  if ((key === undefined) === (passphrase === undefined)) {
    throw new TypeError("give either a key or a passphrase");
  }
  const password = passphrase === undefined ? undefined : passwordOf(passphrase);
  if (key !== undefined && !(key instanceof Uint8Array && key.length === 32)) {
    throw new TypeError("a key has 32 bytes");
  }
  const { file, header, slots } = parse(bytes);
  const tried = slots.filter(({ kdf }) => (kdf !== undefined) === (password !== undefined));
  if (password !== undefined) {
    const cost = tried.reduce((sum, { kdf }) => sum + kdf.m * kdf.t, 0n);
    if (cost > COST_OF_ALL) throw new VaultError("limit", "the key slots together cost too much");
  }
  const { slot, plaintext } = await firstThatOpens(tried, key, password);
  const vaultKey = vaultKeyOf(slot, plaintext, header.vault);

  const content = await decrypt(flattenedDecrypt, file, vaultKey);
  if (content === undefined) throw new VaultError("corrupt", "the content is not authentic");
  return { ...parsePayload(content), header };
}

/** A raw key from its text: 32 bytes in base64url, white space around them. Throws TypeError. */
export function keyFromText(text) {
  const bytes = Buffer.from(text.trim(), "base64url");
  if (bytes.length !== 32 || bytes.toString("base64url") !== text.trim()) {
    throw new TypeError("a key is 32 bytes in base64url without padding");
  }
  return bytes;
}

// ── Key slots ────────────────────────────────────────────────────────────────────────────────────

/** A key slot by its header (section 3). */
function parseSlot(jwe, wrong, where) {
  const parts = typeof jwe === "string" ? jwe.split(".") : [];
  wrong.unless(parts.length === MEMBERS.length, `${where} is not a compact JWE`);
  const members = Object.fromEntries(MEMBERS.map((name, index) => [name, parts[index]]));
  const encoded = decode(members.protected, wrong, `${where}: its header`);
  const header = json(encoded, { depth: HEADER_DEPTH }, wrong, `${where}: its header`);
  wrong.members(header, ["alg", "enc", "cty", "kid", "vid", "iat"], ["kdf"], where);
  checkAlgorithms(header, "jwk+json", wrong, where);
  checkParts(members, wrong, where);
  const { kid, vid, iat, kdf } = header;
  wrong.text(kid, /^[A-Za-z0-9._-]{1,64}$/, `${where}: kid`);
  decode(vid, wrong, `${where}: vid`, 16);
  wrong.integer(iat, 0n, LATEST, `${where}: iat`);
  if ("kdf" in header) checkKdf(kdf, wrong, where);
  return { jwe, kid, vid, iat, kdf };
}

function checkKdf(kdf, wrong, where) {
  wrong.members(kdf, ["name", "v", "m", "t", "p", "salt"], [], `${where}: kdf`);
  wrong.unless(kdf.name === "argon2id" && kdf.v === 19n, `${where}: the kdf is not known here`);
  decode(kdf.salt, wrong, `${where}: salt`, 16);
  for (const name of ["m", "t", "p"]) {
    wrong.unless(typeof kdf[name] === "bigint", `${where}: ${name} is not an integer`);
  }
}

/** The bounds of section 6 for one slot. They are judged when the headers of all slots are sound. */
function checkBounds(kdf, where) {
  if (kdf === undefined) return;
  const limit = faults("limit");
  limit.integer(kdf.t, PASSES.least, PASSES.most, `${where}: passes`);
  limit.integer(kdf.p, LANES.least, LANES.most, `${where}: lanes`);
  limit.integer(kdf.m, MEMORY.least, MEMORY.most, `${where}: memory`);
  limit.unless(kdf.m >= MEMORY.forEachLane * kdf.p, `${where}: too little memory for its lanes`);
  limit.unless(kdf.m * kdf.t <= COST_OF_A_SLOT, `${where}: it costs too much`);
}

async function firstThatOpens(slots, key, password) {
  for (const slot of slots) {
    const secret = key ?? (await derive(password, slot.kdf));
    const plaintext = await decrypt(compactDecrypt, slot.jwe, secret);
    if (plaintext !== undefined) return { slot, plaintext };
  }
  throw new VaultError("wrong-key", "no key slot opens with this secret");
}

/** The vault key in the plaintext of a slot that opened: step 5 of section 5. */
function vaultKeyOf(slot, plaintext, { id, commitment }) {
  const wrong = faults("corrupt");
  wrong.unless(slot.vid === id, "the key slot belongs to another vault");
  const jwk = json(plaintext, { depth: HEADER_DEPTH }, wrong, "the vault key");
  wrong.members(jwk, ["kty", "alg", "k"], [], "the vault key");
  wrong.unless(jwk.kty === "oct" && jwk.alg === "A256KW", "the vault key is for something else");
  const vaultKey = decode(jwk.k, wrong, "the vault key", 32);
  const committed = createHmac("sha256", vaultKey)
    .update("interpal-vault/1 commitment ")
    .update(Buffer.from(id, "base64url"))
    .digest();
  const holds = timingSafeEqual(committed, Buffer.from(commitment, "base64url"));
  wrong.unless(holds, "the vault key is not the one that the header commits to");
  return vaultKey;
}

function passwordOf(passphrase) {
  if (typeof passphrase !== "string" || !passphrase.isWellFormed()) {
    throw new TypeError("a passphrase is a string without half of a surrogate pair");
  }
  const password = Buffer.from(passphrase.normalize("NFC"));
  if (password.length < 1 || password.length > 4096) {
    throw new RangeError("a passphrase has 1 to 4,096 bytes");
  }
  return password;
}

function derive(password, { m, t, p, salt }) {
  return argon2id({
    password,
    salt: Buffer.from(salt, "base64url"),
    memorySize: Number(m),
    iterations: Number(t),
    parallelism: Number(p),
    hashLength: 32,
    outputType: "binary",
  });
}

// ── The payload ──────────────────────────────────────────────────────────────────────────────────

/** The payload of section 4. Throws VaultError: corrupt. */
function parsePayload(bytes) {
  const wrong = faults("corrupt");
  // A record stands in `records`, which stands in the payload.
  const depth = RECORD_DEPTH + 2;
  const payload = json(bytes, { depth, fractions: true }, wrong, "the payload");
  wrong.members(payload, ["records"], ["attempts", "salt"], "the payload");
  const { records, attempts = Object.create(null) } = payload;
  wrong.unless(isObject(records), "records is not an object");
  wrong.unless(isObject(attempts), "attempts is not an object");
  for (const [entries, check] of [[records, checkRecord], [attempts, checkAttempt]]) {
    const names = Object.keys(entries);
    wrong.unless(names.length <= ENTRIES, "there are too many records or refused logins");
    for (const name of names) {
      checkName(name, wrong);
      entries[name] = check(entries[name], wrong);
    }
  }
  const salt = "salt" in payload ? decode(payload.salt, wrong, "salt", 16) : undefined;
  return { records, attempts, salt };
}

function checkName(name, wrong) {
  const length = Buffer.byteLength(name);
  wrong.unless(length >= 1 && length <= 1024, "a name has 1 to 1,024 bytes");
  wrong.unless(!/[\u0000-\u001f\u007f-\u009f]/.test(name), "a name has a control character");
}

function checkRecord(record, wrong) {
  wrong.unless(isObject(record), "a record is not an object");
  wrong.unless(depthOf(record) <= RECORD_DEPTH, "a record is nested too deep");
  wrong.unless(Buffer.byteLength(compact(record)) <= RECORD_BYTES, "a record is too large");
  return withNumbers(record, wrong);
}

function checkAttempt(attempt, wrong) {
  const members = ["tag", "count", "kind", "forget_at"];
  wrong.members(attempt, ["until"], members, "a refused login");
  wrong.integer(attempt.until, 0n, LATEST, "until");
  if ("tag" in attempt) wrong.text(attempt.tag, /^[0-9a-fA-F]{5}$/, "tag");
  if ("count" in attempt) wrong.integer(attempt.count, 1n, COUNTS, "count");
  if ("kind" in attempt) wrong.text(attempt.kind, /^[a-z0-9-]{1,32}$/, "kind");
  if ("forget_at" in attempt) wrong.integer(attempt.forget_at, attempt.until, LATEST, "forget_at");
  return withNumbers(attempt, wrong);
}

/** The same with integers as Numbers, which have all from -2^53 to 2^53. */
function withNumbers(value, wrong) {
  if (typeof value === "bigint") {
    wrong.integer(value, -INTEGERS, INTEGERS, "an integer");
    return Number(value);
  }
  if (Array.isArray(value)) return value.map((item) => withNumbers(item, wrong));
  if (!isObject(value)) return value;
  const members = Object.create(null);
  for (const [name, item] of Object.entries(value)) members[name] = withNumbers(item, wrong);
  return members;
}

// ── Parts of all of them ─────────────────────────────────────────────────────────────────────────

/** Checks that throw a VaultError of one kind. */
function faults(kind) {
  const unless = (holds, message) => {
    if (!holds) throw new VaultError(kind, message);
  };
  return {
    kind,
    unless,
    integer(value, least, most, what) {
      const within = typeof value === "bigint" && value >= least && value <= most;
      unless(within, `${what} is not an integer from ${least} to ${most}`);
    },
    text(value, pattern, what) {
      unless(typeof value === "string" && pattern.test(value), `${what} is not as it should be`);
    },
    members(value, required, optional, what) {
      unless(isObject(value), `${what} is not an object`);
      unless(required.every((name) => name in value), `${what} lacks a member`);
      const known = new Set([...required, ...optional]);
      const all = Object.keys(value).every((name) => known.has(name));
      unless(all, `${what} has a member too many`);
    },
  };
}

function json(bytes, bounds, wrong, what) {
  try {
    return parseJson(bytes, bounds);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new VaultError(wrong.kind, `${what} is not strict JSON: ${error.message}`);
  }
}

/** The bytes of base64url without padding, in the one form that encoding gives. */
function decode(text, wrong, what, length) {
  wrong.unless(typeof text === "string", `${what} is not a string`);
  const bytes = Buffer.from(text, "base64url");
  wrong.unless(bytes.toString("base64url") === text, `${what} is not base64url`);
  wrong.unless(length === undefined || bytes.length === length, `${what} has not ${length} bytes`);
  return bytes;
}

function checkAlgorithms(header, cty, wrong, where) {
  const known = header.alg === "A256KW" && header.enc === "A256GCM" && header.cty === cty;
  wrong.unless(known, `${where}: alg, enc or cty`);
}

function checkParts(members, wrong, where) {
  for (const name of MEMBERS) decode(members[name], wrong, `${where}: ${name}`, LENGTHS[name]);
}

/** What the JWE holds, or undefined where this key does not open it. */
async function decrypt(how, jwe, key) {
  const algorithms = {
    keyManagementAlgorithms: ["A256KW"],
    contentEncryptionAlgorithms: ["A256GCM"],
  };
  try {
    return (await how(jwe, key, algorithms)).plaintext;
  } catch (error) {
    if (error instanceof errors.JOSEError) return undefined;
    throw error;
  }
}
