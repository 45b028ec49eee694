#!/usr/bin/env bash
# A site of mkdocs-material without fonts, analytics and plugins still has pages that ask other hosts.
#
# With `theme: {font: false}` nothing of a page names another host, so the site seems to be whole. Its
# script asks two hosts by itself: unpkg.com for mermaid, on each page with a diagram, and
# api.github.com for the stars, on every page, as soon as `repo_url` is one of GitHub. Without a
# network the diagrams are source text. The plugin `privacy`, which brings files over, is off by default.
#
# Seen, with Python 3.11 and mkdocs-material 9.8.2:
#
#   loaded by the page: nothing from elsewhere
#   in its script: https://api.github.com/, https://unpkg.com/mermaid
#
# Exits with an error once that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check mkdocs-material==9.8.2

mkdir -p "$folder/site/docs"
cat > "$folder/site/mkdocs.yml" <<'YAML'
site_name: example
repo_url: https://github.com/example/example
theme: { name: material, font: false }
markdown_extensions:
  - pymdownx.superfences:
      custom_fences:
        - name: mermaid
          class: mermaid
          format: !!python/name:pymdownx.superfences.fence_code_format
YAML
printf '# Example\n\n```mermaid\ngraph LR\n  a --> b\n```\n' > "$folder/site/docs/index.md"
cat > "$folder/show.py" <<'PYTHON'
import re
import sys
from pathlib import Path

built = Path(sys.argv[1])
page = (built / "index.html").read_text()
loaded = re.findall(r'<(?:script|img)[^>]*src="(https?://[^"]*)', page)
loaded += re.findall(r'<link[^>]*rel="(?:stylesheet|preconnect)"[^>]*href="(https?://[^"]*)', page)
print("loaded by the page:", ", ".join(loaded) or "nothing from elsewhere")
script = "".join(path.read_text() for path in built.glob("assets/javascripts/bundle.*.js"))
found = set(re.findall(r"https://(?:api\.github\.com/|unpkg\.com/mermaid)", script))
print("in its script:", ", ".join(sorted(found)))
PYTHON

(cd "$folder/site" && NO_MKDOCS_2_WARNING=1 "$folder/venv/bin/mkdocs" build --quiet)
"$folder/venv/bin/python" "$folder/show.py" "$folder/site/site" | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
loaded by the page: nothing from elsewhere
in its script: https://api.github.com/, https://unpkg.com/mermaid
SEEN
