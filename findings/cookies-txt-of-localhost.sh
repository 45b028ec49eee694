#!/usr/bin/env bash
# A cookies.txt with a cookie of a server at "localhost" cannot be shared by Python and libcurl, in
# neither direction.
#
# Both write the Netscape format, and files for hosts with a dot in their name work for both. For a
# host without one, `http.cookiejar` (and with it requests) saves the cookie under "localhost.local",
# as RFC 2965 has it. libcurl reads that as another host and sends nothing to localhost. libcurl itself
# writes "localhost"; Python loads that line, counts the cookie as there, and never sends it, since
# it compares it with "localhost.local". Each reads its own file well, and neither reports anything.
#
# Seen, with Python 3.11, requests 2.34.2 and pycurl 7.49.0:
#
#   saved by requests for: localhost.local
#   sent by requests: a=1
#   sent by libcurl: nothing
#   saved by libcurl for: localhost
#   sent by requests: nothing
#   sent by libcurl: a=1
#
# Exits with an error once that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check requests==2.34.2 pycurl==7.49.0

cat > "$folder/show.py" <<'PYTHON'
import sys
import threading
from http.cookiejar import MozillaCookieJar
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pycurl
import requests


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = self.headers.get("Cookie", "nothing").encode()
        self.send_response(200)
        if self.path == "/set":
            self.send_header("Set-Cookie", "a=1; Path=/; Max-Age=3600")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
site = f"http://localhost:{server.server_port}"


def by_requests(path, file, *, save=False):
    with requests.Session() as session:
        session.trust_env = False
        session.cookies = jar = MozillaCookieJar(str(file))
        if not save:
            jar.load()
        body = session.get(site + path).text
        if save:
            jar.save()
        return body


def by_libcurl(path, file, *, save=False):
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, site + path)
    curl.setopt(pycurl.NOPROXY, "*")
    curl.setopt(pycurl.COOKIEJAR if save else pycurl.COOKIEFILE, str(file))
    body = curl.perform_rs()
    curl.close()
    return body


for name, save in (("requests", by_requests), ("libcurl", by_libcurl)):
    file = Path(sys.argv[1]) / f"{name}.txt"
    save("/set", file, save=True)
    hosts = [line.split("\t")[0] for line in file.read_text().splitlines() if "\t" in line]
    print(f"saved by {name} for:", *hosts)
    print("sent by requests:", by_requests("/", file))
    print("sent by libcurl:", by_libcurl("/", file))
server.shutdown()
PYTHON

"$folder/venv/bin/python" "$folder/show.py" "$folder" | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
saved by requests for: localhost.local
sent by requests: a=1
sent by libcurl: nothing
saved by libcurl for: localhost
sent by requests: nothing
sent by libcurl: a=1
SEEN
