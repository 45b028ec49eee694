/**
 * `node read.mjs FILE` writes the records as JSON; `node read.mjs --header FILE` needs no secret.
 *
 * The secret comes from one of these variables, never from an argument, which every user of the
 * machine could see: INTERPALS_VAULT_KEY, INTERPALS_VAULT_KEY_FILE, INTERPALS_VAULT_PASSPHRASE,
 * INTERPALS_VAULT_PASSPHRASE_FILE.
 */

import { readFile } from "node:fs/promises";
import process from "node:process";

import { keyFromText, open, parse, VaultError } from "./vault.mjs";

const SOURCES = {
  INTERPALS_VAULT_KEY: async (text) => ({ key: keyFromText(text) }),
  INTERPALS_VAULT_KEY_FILE: async (path) => ({ key: keyFromText(await readFile(path, "utf8")) }),
  INTERPALS_VAULT_PASSPHRASE: async (text) => ({ passphrase: text }),
  INTERPALS_VAULT_PASSPHRASE_FILE: async (path) => ({
    passphrase: (await readFile(path, "utf8")).replace(/\n$/, ""),
  }),
};

async function secret() {
  const set = Object.keys(SOURCES).filter((name) => process.env[name]);
  if (set.length !== 1) throw new TypeError(`set one of ${Object.keys(SOURCES).join(", ")}`);
  return SOURCES[set[0]](process.env[set[0]]);
}

function show(value) {
  const shown = (_, item) => (typeof item === "bigint" ? Number(item) : item);
  process.stdout.write(`${JSON.stringify(value, shown, 2)}\n`);
}

async function main(words) {
  const paths = words.filter((word) => word !== "--header");
  if (paths.length !== 1 || paths[0].startsWith("-")) {
    throw new TypeError("usage: node read.mjs [--header] FILE");
  }
  const bytes = await readFile(paths[0]);
  if (words.includes("--header")) {
    const { header, slots } = parse(bytes);
    show({ ...header.vault, slots: slots.map(({ kid, iat, kdf }) => ({ kid, iat, kdf })) });
  } else {
    show((await open(bytes, await secret())).records);
  }
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  if (error instanceof VaultError) process.stderr.write(`${error.kind}: ${error.message}\n`);
  else process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
