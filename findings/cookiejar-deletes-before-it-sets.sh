#!/usr/bin/env bash
# The cookie jar of Python does the deletions of a reply before its settings, and takes the year 70
# of a cookie's end for 2070.
#
# RFC 6265, section 5.3, treats the Set-Cookie headers of a reply one by one, in their order, so that
# a cookie which one of them sets and a later one deletes is not there afterwards.
# `http.cookiejar.CookieJar.make_cookies` deletes as it reads the headers, and `extract_cookies` sets
# what is left once all of them were read: the cookie stays. RFC 6265, section 5.1.1, takes a year of
# two digits from 70 to 99 for one of the 20th century; the jar takes the nearest century, so that
# "Thu, 01-Jan-70 00:00:00 GMT", by which servers delete cookies, sets one that lasts until 2070.
# requests keeps its cookies in this jar; curl and browsers do as the RFC says.
#
# Seen, with Python 3.11 and requests 2.32.5:
#
#   set, then delete: ['a=1']
#   set, then delete in the next reply: []
#   deleted by the year 1970: []
#   deleted by the year 70: ['a=']
#
# Exits with an error once that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check requests==2.32.5

cat > "$folder/show.py" <<'PYTHON'
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import requests

PATHS = {
    "/both": ["a=1; Path=/", "a=; Path=/; Max-Age=0"],
    "/set": ["a=1; Path=/"],
    "/delete": ["a=; Path=/; Max-Age=0"],
    "/1970": ["a=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT"],
    "/70": ["a=; Path=/; Expires=Thu, 01-Jan-70 00:00:00 GMT"],
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        for header in PATHS[self.path]:
            self.send_header("Set-Cookie", header)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()


def kept(*paths):
    with requests.Session() as session:
        session.trust_env = False
        for path in paths:
            session.get(f"http://127.0.0.1:{server.server_port}{path}")
        return [f"{cookie.name}={cookie.value}" for cookie in session.cookies]


for what, paths in {
    "set, then delete": ["/both"],
    "set, then delete in the next reply": ["/set", "/delete"],
    "deleted by the year 1970": ["/set", "/1970"],
    "deleted by the year 70": ["/set", "/70"],
}.items():
    print(f"{what}: {kept(*paths)}")
server.shutdown()
PYTHON

"$folder/venv/bin/python" "$folder/show.py" | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
set, then delete: ['a=1']
set, then delete in the next reply: []
deleted by the year 1970: []
deleted by the year 70: ['a=']
SEEN
