"""The `jose` command of Debian."""

from __future__ import annotations

import base64
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any


def _jose(key: bytes, files: dict[str, str | bytes], *arguments: str) -> bytes:
    """What `jose jwe` prints, with *files* and the key, in `key.jwk`, before it."""
    k = base64.urlsafe_b64encode(key).decode().rstrip("=")
    files = {**files, "key.jwk": json.dumps({"kty": "oct", "alg": "A256KW", "k": k})}
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            data = content if isinstance(content, bytes) else content.encode()
            Path(folder, name).write_bytes(data)
        command = ["jose", "jwe", *arguments, "-k", "key.jwk"]
        done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    if done.returncode:
        raise ValueError(done.stderr.decode() or f"exit code {done.returncode}")
    return done.stdout


def open_jwe(text: str, key: bytes) -> bytes:
    return _jose(key, {"in.jwe": text}, "dec", "-i", "in.jwe")


as_it_is = open_jwe


def _seal(header: dict[str, Any], plaintext: bytes, key: bytes, *arguments: str) -> str:
    files: dict[str, str | bytes] = {
        "template.json": json.dumps({"protected": header}),
        "plain": plaintext,
    }
    printed = _jose(key, files, "enc", "-i", "template.json", "-I", "plain", *arguments)
    return printed.decode("ascii")


def seal_as_it_is(header: dict[str, Any], plaintext: bytes, key: bytes) -> str:
    return _seal(header, plaintext, key, "-c")


def seal_flattened(header: dict[str, Any], plaintext: bytes, key: bytes) -> str:
    return _seal(header, plaintext, key)
