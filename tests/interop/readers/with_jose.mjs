// begin: shown
import { compactDecrypt } from "jose";

export async function openJwe(text, key) {
  const { plaintext } = await compactDecrypt(text, key);
  return Buffer.from(plaintext).toString();
}
// end: shown

import { CompactEncrypt, FlattenedEncrypt, flattenedDecrypt } from "jose";

export async function asItIs(text, key) {
  if (!text.startsWith("{")) return openJwe(text, key);
  const { plaintext } = await flattenedDecrypt(JSON.parse(text), key);
  return Buffer.from(plaintext).toString();
}

export function sealAsItIs(header, plaintext, key) {
  return new CompactEncrypt(plaintext).setProtectedHeader(header).encrypt(key);
}

export async function sealFlattened(header, plaintext, key) {
  const sealing = new FlattenedEncrypt(plaintext).setProtectedHeader(header);
  return JSON.stringify(await sealing.encrypt(key));
}
