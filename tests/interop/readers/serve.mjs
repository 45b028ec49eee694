// Does what it is told with one of the libraries: one JSON object a line, in and out.

import { createInterface } from "node:readline";
import { derive, openVault } from "./vault.mjs";

const library = await import(process.argv[2]);
const NAMES = {
  as_it_is: "asItIs", open_jwe: "openJwe",
  seal_as_it_is: "sealAsItIs", seal_jwe: "sealJwe", seal_flattened: "sealFlattened",
};

async function answer(asked) {
  const key = new Uint8Array(Buffer.from(asked.key ?? "", "base64"));
  switch (asked.do) {
    case "derive":
      return Buffer.from(await derive(asked.passphrase, asked.kdf)).toString("base64");
    case "vault":
      return openVault(asked.text, asked.passphrase ?? key, library.openJwe, asked.slot);
    case "as_it_is":
    case "open_jwe":
      return library[NAMES[asked.do]](asked.text, key);
    default:
      return library[NAMES[asked.do]](asked.header, Buffer.from(asked.plaintext), key);
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  let result;
  try {
    result = { answer: await answer(JSON.parse(line)) };
  } catch (error) {
    result = { error: `${error.name}: ${error.message}` };
  }
  console.log(JSON.stringify(result));
}
