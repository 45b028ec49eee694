// Opens a vault with any JOSE library: `openJwe` is the library's (docs/interop.md).

// begin: shown
import { createHmac, timingSafeEqual } from "node:crypto";
import { argon2id } from "hash-wasm";

const MEMBERS = ["protected", "encrypted_key", "iv", "ciphertext", "tag"];
const decode = (text) => Buffer.from(text, "base64url");
const headerOf = (jwe) => JSON.parse(decode(jwe.split(".")[0]).toString());

/** The text of a vault as a compact JWE. */
export function compact(file) {
  const vault = JSON.parse(file);
  return MEMBERS.map((name) => vault[name]).join(".");
}

/** The key behind a passphrase, by the numbers of its slot. */
export function derive(passphrase, kdf) {
  return argon2id({
    password: passphrase.normalize("NFC"), salt: decode(kdf.salt), hashLength: 32,
    iterations: kdf.t, memorySize: kdf.m, parallelism: kdf.p, outputType: "binary",
  });
}

/** The payload, by the key (bytes) or the passphrase (a string) of a slot. */
export async function openVault(file, secret, openJwe, slot = 0) {
  const { vault } = headerOf(compact(file));
  const jwe = vault.slots[slot];
  const key = typeof secret === "string" ? await derive(secret, headerOf(jwe).kdf) : secret;
  const vaultKey = decode(JSON.parse(await openJwe(jwe, key)).k);
  const expected = createHmac("sha256", vaultKey)
    .update("interpal-vault/1 commitment ").update(decode(vault.id)).digest();
  if (!timingSafeEqual(expected, decode(vault.commitment))) {
    throw new Error("the slot holds the key of another vault");
  }
  return JSON.parse(await openJwe(compact(file), vaultKey));
}
// end: shown
