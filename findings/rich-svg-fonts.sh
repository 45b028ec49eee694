#!/usr/bin/env bash
# An SVG that rich exports names font files on another host, which a browser fetches that shows it.
#
# `Console.export_svg` writes a picture of a terminal. Nothing of it needs a network, yet its style has
# four addresses of cdnjs.cloudflare.com in `@font-face`. Opened by itself or put into a page as an
# element, it asks that host; in an `img` element browsers do not fetch, and the letters are others.
# `code_format=` is the only way to be without them: there is no argument for the fonts.
#
# Seen, with Python 3.11 and rich 15.0.0:
#
#   hosts: cdnjs.cloudflare.com, www.textualize.io, www.w3.org
#   font files: 4
#
# Exits with an error once that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check rich==15.0.0

cat > "$folder/show.py" <<'PYTHON'
import io
import re

from rich.console import Console

console = Console(record=True, file=io.StringIO())
console.print("hello")
picture = console.export_svg()
print("hosts:", ", ".join(sorted(set(re.findall(r"https?://([^/\"' )]+)", picture)))))
print("font files:", len(re.findall(r"url\([\"']?https://", picture)))
PYTHON

"$folder/venv/bin/python" "$folder/show.py" | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
hosts: cdnjs.cloudflare.com, www.textualize.io, www.w3.org
font files: 4
SEEN
