// Opens the vectors on standard input, a JSON object by name, with examples/readers, beside which
// tests/format/second_reader.py puts this. Writes what each of them gave, by the same names.

import { readFileSync } from "node:fs";

import { open, VaultError } from "./vault.mjs";

const answers = {};
for (const [name, { file, key, passphrase }] of Object.entries(JSON.parse(readFileSync(0, "utf8")))) {
  const secret = key === undefined ? { passphrase } : { key: Buffer.from(key, "base64url") };
  try {
    const { records, attempts, salt } = await open(Buffer.from(file), secret);
    answers[name] = { records, attempts, salt: salt?.toString("base64url") };
  } catch (error) {
    if (!(error instanceof VaultError)) throw error;
    answers[name] = { error: error.kind, message: error.message };
  }
}
process.stdout.write(JSON.stringify(answers));
