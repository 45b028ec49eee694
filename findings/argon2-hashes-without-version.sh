#!/usr/bin/env bash
# An Argon2 hash that names no version is one of version 1.0 to some libraries; to others it is
# unreadable, or the password is wrong.
#
# Argon2 has two versions whose results differ: 1.0, written 16, and 1.3, written 19. In the text form
# of a hash "v=" may be missing, and then it is version 1.0, whose hashes had no such part. With the
# right password, argon2-cffi and passlib accept such a hash. But `extract_parameters` of argon2-cffi
# says that its version is 18, which does not exist, while `verify` takes it for 16. The other three
# know version 1.3 only. cryptography and hash-wasm say that they cannot read the hash; PyNaCl
# raises what it raises for a wrong password, so a user whose old hash was brought over seems to
# mistype.
#
# Seen, with Python 3.11, argon2-cffi 25.1.0, passlib 1.7.4, PyNaCl 1.6.2, cryptography 50.0.2 and
# hash-wasm 4.13.0:
#
#   1.3: argon2-cffi yes, passlib yes, pynacl yes, cryptography yes, hash-wasm yes; version 19
#   1.0: argon2-cffi yes, passlib yes, pynacl Wrong password, cryptography Invalid version in PHC string., hash-wasm Unsupported version: 16; version 16
#   1.0, not named: argon2-cffi yes, passlib yes, pynacl Wrong password, cryptography Invalid PHC string format., hash-wasm Invalid hash; version 18
#
# Exits with an error once that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  argon2-cffi==25.1.0 passlib==1.7.4 pynacl==1.6.2 cryptography==50.0.2
npm install --silent --no-fund --no-audit --prefix "$folder" hash-wasm@4.13.0

cat > "$folder/verify.js" <<'JAVASCRIPT'
const { argon2Verify } = require("hash-wasm");
argon2Verify({ password: "correct horse", hash: process.argv[2] }).then(
  (same) => console.log(same ? "yes" : "no"),
  (error) => console.log(error.message),
);
JAVASCRIPT
cat > "$folder/show.py" <<'PYTHON'
import subprocess
import sys
import warnings

warnings.simplefilter("ignore", DeprecationWarning)
import argon2
import nacl.pwhash
from argon2.low_level import Type, hash_secret
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from passlib.hash import argon2 as passlib_argon2

PASSWORD = "correct horse"


def answer(verify):
    try:
        found = verify()
    except Exception as error:
        return str(error)
    # cryptography returns nothing where the password is right.
    return "yes" if found in (True, None) else "no"


def by_hash_wasm(text):
    command = ["node", "verify.js", text]
    done = subprocess.run(command, cwd=sys.argv[1], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def hashed(version):
    costs = {"time_cost": 2, "memory_cost": 64, "parallelism": 1, "hash_len": 32}
    found = hash_secret(
        PASSWORD.encode(), b"somesaltsomesalt", type=Type.ID, version=version, **costs
    )
    return found.decode()


for name, text in (
    ("1.3", hashed(19)),
    ("1.0", hashed(16)),
    ("1.0, not named", hashed(16).replace("$v=16", "")),
):
    given, secret = text.encode(), PASSWORD.encode()
    answers = {
        "argon2-cffi": answer(lambda: argon2.PasswordHasher().verify(text, PASSWORD)),
        "passlib": answer(lambda: passlib_argon2.verify(PASSWORD, text)),
        "pynacl": answer(lambda: nacl.pwhash.verify(given, secret)),
        "cryptography": answer(lambda: Argon2id.verify_phc_encoded(secret, text)),
        "hash-wasm": by_hash_wasm(text),
    }
    said = ", ".join(f"{library} {answer}" for library, answer in answers.items())
    print(f"{name}: {said}; version {argon2.extract_parameters(text).version}")
PYTHON

"$folder/venv/bin/python" "$folder/show.py" "$folder" | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
1.3: argon2-cffi yes, passlib yes, pynacl yes, cryptography yes, hash-wasm yes; version 19
1.0: argon2-cffi yes, passlib yes, pynacl Wrong password, cryptography Invalid version in PHC string., hash-wasm Unsupported version: 16; version 16
1.0, not named: argon2-cffi yes, passlib yes, pynacl Wrong password, cryptography Invalid PHC string format., hash-wasm Invalid hash; version 18
SEEN
