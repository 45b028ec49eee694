// begin: shown
import nodeJose from "node-jose";

const { JWE, JWK } = nodeJose;
const octKey = (key) => JWK.asKey({ kty: "oct", k: Buffer.from(key).toString("base64url") });

export async function openJwe(text, key) {
  const { plaintext } = await JWE.createDecrypt(await octKey(key)).decrypt(text);
  return plaintext.toString();
}
// end: shown

/** It takes the text of a compact JWE, and of a JSON one only what is parsed. */
export function asItIs(text, key) {
  return openJwe(text.startsWith("{") ? JSON.parse(text) : text, key);
}

async function seal(format, header, plaintext, key) {
  const recipient = { key: await octKey(key), reference: false };
  const options = { format, fields: header, contentAlg: header.enc };
  return JWE.createEncrypt(options, recipient).update(plaintext).final();
}

export function sealAsItIs(header, plaintext, key) {
  return seal("compact", header, plaintext, key);
}

export async function sealFlattened(header, plaintext, key) {
  return JSON.stringify(await seal("flattened", header, plaintext, key));
}
