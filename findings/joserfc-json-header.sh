#!/usr/bin/env bash
# joserfc 1.8.0 does not authenticate the protected header of a JSON serialization as it was received.
#
# RFC 7516, section 5.2, step 14: the additional authenticated data is the text of "protected" as it
# stands in the message. `joserfc.jwe.decrypt_json` parses the header and writes it anew, without
# white space, and authenticates that text. So a sound JWE that another program made with a space in
# its header is refused, though the same five parts in the compact serialization are accepted, and
# though the same content under a header without spaces is accepted in both.
#
# Seen, with Python 3.11, joserfc 1.8.0 and jwcrypto 1.6.1 (which reads all four):
#
#   compact header: json: b'hello', compact: b'hello'
#   spaced header: json: DecodeError, compact: b'hello'
#
# Exits with an error once that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check joserfc==1.8.0 jwcrypto==1.6.1

cat > "$folder/show.py" <<'PYTHON'
import json

from joserfc import jwe as joserfc
from joserfc.jwk import OctKey
from jwcrypto import jwe, jwk

key = OctKey.generate_key(256)
other = jwk.JWK(**key.as_dict(private=True))
header = {"alg": "A256KW", "enc": "A256GCM"}
for name, text in (
    ("compact", json.dumps(header, separators=(",", ":"))),
    ("spaced", json.dumps(header)),
):
    token = jwe.JWE(b"hello", protected=text, recipient=other)
    flattened, compact = token.serialize(), token.serialize(compact=True)
    for sealed in (flattened, compact):
        again = jwe.JWE()
        again.deserialize(sealed, other)
        assert again.payload == b"hello"
    try:
        read = joserfc.decrypt_json(json.loads(flattened), key).plaintext
    except Exception as error:
        read = type(error).__name__
    print(f"{name} header: json: {read}, compact: {joserfc.decrypt_compact(compact, key).plaintext}")
PYTHON

"$folder/venv/bin/python" "$folder/show.py" | tee "$folder/seen"
diff "$folder/seen" - <<'EXPECTED'
compact header: json: b'hello', compact: b'hello'
spaced header: json: DecodeError, compact: b'hello'
EXPECTED
