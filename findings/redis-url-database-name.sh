#!/usr/bin/env bash
# redis-py takes a database in the path of a URL that is no number for none, and says nothing.
#
# The registration of the `redis` scheme with IANA has a number as the path. `Redis.from_url` of
# "redis://host/teams" connects to database 0, as if the path were not there, where a mistyped number
# was meant or a name as other databases have. The same value as `?db=teams` is a ValueError.
#
# Seen, with Python 3.11 and redis 8.1.0 (nothing is connected to):
#
#   redis://host/3: database 3
#   redis://host/teams: database 0
#   redis://host/3teams: database 0
#   redis://host?db=teams: ValueError
#
# Exits with an error once that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check redis==8.1.0

cat > "$folder/show.py" <<'PYTHON'
import redis

for url in ("redis://host/3", "redis://host/teams", "redis://host/3teams", "redis://host?db=teams"):
    try:
        client = redis.Redis.from_url(url)
    except ValueError as error:
        print(f"{url}: {type(error).__name__}")
    else:
        print(f"{url}: database {client.connection_pool.make_connection().db}")
PYTHON

"$folder/venv/bin/python" "$folder/show.py" | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
redis://host/3: database 3
redis://host/teams: database 0
redis://host/3teams: database 0
redis://host?db=teams: ValueError
SEEN
