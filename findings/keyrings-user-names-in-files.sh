#!/usr/bin/env bash
# For the keyrings in files of keyrings.alt and keyrings.cryptfile, two users whose names differ in
# case are one.
#
# keyring stores a secret for a service and a user, and one would expect each pair to have its own.
# These backends write their files with `configparser`, a section for each service and an option for
# each user, and it ignores the case of options but not that of sections: services stay apart, users
# do not. The second name that is saved replaces the secret of the first. keyrings.alt then gives
# the second one's secret to both. keyrings.cryptfile authenticates the name with the secret, so there
# the first name is an error, and its own secret is lost all the same.
#
# Seen, with Python 3.11, keyring 25.7.0, keyrings.alt 5.0.2 and keyrings.cryptfile 1.3.9:
#
#   PlaintextKeyring: mail/Bob second, mail/bob second, Mail/Bob third
#   EncryptedKeyring: mail/Bob second, mail/bob second, Mail/Bob third
#   CryptFileKeyring: mail/Bob ValueError, mail/bob second, Mail/Bob third
#
# Exits with an error once that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  keyring==25.7.0 keyrings.alt==5.0.2 keyrings.cryptfile==1.3.9 pycryptodome==4.4.0

cat > "$folder/show.py" <<'PYTHON'
import sys
import warnings
from pathlib import Path

from keyrings.alt.file import EncryptedKeyring, PlaintextKeyring
from keyrings.cryptfile.cryptfile import CryptFileKeyring

warnings.simplefilter("ignore", DeprecationWarning)
for kind in (PlaintextKeyring, EncryptedKeyring, CryptFileKeyring):
    ring = kind()
    ring.file_path = str(Path(sys.argv[1]) / kind.__name__)
    ring.keyring_key = "correct horse"
    # Argon2 at a low cost: each access derives the key once or twice.
    ring.memory_cost, ring.time_cost = 64, 1
    ring.set_password("mail", "Bob", "first")
    ring.set_password("mail", "bob", "second")
    ring.set_password("Mail", "Bob", "third")
    found = []
    for service, user in (("mail", "Bob"), ("mail", "bob"), ("Mail", "Bob")):
        try:
            secret = ring.get_password(service, user)
        except ValueError as error:
            secret = type(error).__name__
        found.append(f"{service}/{user} {secret}")
    print(f"{kind.__name__}: {', '.join(found)}")
PYTHON

"$folder/venv/bin/python" "$folder/show.py" "$folder" | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
PlaintextKeyring: mail/Bob second, mail/bob second, Mail/Bob third
EncryptedKeyring: mail/Bob second, mail/bob second, Mail/Bob third
CryptFileKeyring: mail/Bob ValueError, mail/bob second, Mail/Bob third
SEEN
