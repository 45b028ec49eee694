"""Bodies of requests: forms, JSON, files, and what can be sent once only."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from interpal.exceptions import ValidationError


def encode_form(fields: Mapping[str, Any]) -> bytes:
    """`application/x-www-form-urlencoded`; None is left out, a list repeats its name."""
    from urllib.parse import urlencode

    if not isinstance(fields, Mapping):
        raise ValidationError("data, params: expected a mapping of names to values")
    present = {name: value for name, value in fields.items() if value is not None}
    try:
        return urlencode(present, doseq=True).encode("ascii")
    except UnicodeEncodeError:
        pass  # The error would carry the text.
    del fields, present
    raise ValidationError("data, params: a text cannot be written as UTF-8")


def _utf8(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise ValidationError("data: this text cannot be written as UTF-8") from None


def encode_body(
    data: Any = None, json_value: Any = None, files: Mapping[str, Any] | None = None
) -> tuple[bytes | Iterable[bytes] | None, str | None]:
    """The body of a request and its content type.

    *data* is a mapping (a form), bytes, text, or an iterable of bytes or open file, which is
    streamed and can be sent once only. Raises `ValidationError`.
    """
    if json_value is not None and (data is not None or files is not None):
        raise ValidationError("json: cannot be sent together with data or files")
    if json_value is not None:
        try:
            return json.dumps(json_value, allow_nan=False).encode("utf-8"), "application/json"
        except (TypeError, ValueError) as error:
            raise ValidationError(f"json: {error}") from None
        except RecursionError:
            raise ValidationError("json: this is nested too deeply") from None
    if files is not None:
        return _multipart(data, files)
    if data is None:
        return None, None
    if isinstance(data, Mapping):
        return encode_form(data), "application/x-www-form-urlencoded"
    if isinstance(data, str):
        return _utf8(data), "text/plain; charset=utf-8"
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data), "application/octet-stream"
    if isinstance(data, Iterable):
        # A list is sent like any other iterable: piece by piece.
        pieces = data if hasattr(data, "read") else iter(data)
        return pieces, "application/octet-stream"
    raise ValidationError("data: expected a mapping, bytes, text, or an iterable of bytes")


def _multipart(data: Any, files: Mapping[str, Any]) -> tuple[bytes, str]:
    """`multipart/form-data` (RFC 7578). Files are read whole, so that it can be sent again."""
    from urllib3.filepost import encode_multipart_formdata

    if data is not None and not isinstance(data, Mapping):
        raise ValidationError("data: beside files it must be a mapping")
    if not isinstance(files, Mapping):
        raise ValidationError("files: expected a mapping of names to files")
    fields: list[tuple[str, Any]] = [
        (name, str(value)) for name, value in (data or {}).items() if value is not None
    ]
    for name, file in files.items():
        parts = file if isinstance(file, tuple) else (_file_name(file, name), file)
        if len(parts) not in (2, 3):
            raise ValidationError(f"files: {name}: expected content, or (name, content[, type])")
        content = parts[1].read() if hasattr(parts[1], "read") else parts[1]
        if not isinstance(content, (bytes, bytearray, memoryview, str)):
            raise ValidationError(f"files: {name}: expected bytes, text, or an open file")
        fields.append((name, (parts[0], content, *parts[2:])))
    try:
        encoded = encode_multipart_formdata(fields)
    except UnicodeEncodeError:
        encoded = None  # The error would carry the text.
    if encoded is None:
        del fields, data, files
        raise ValidationError("data, files: a text cannot be written as UTF-8")
    body, content_type = encoded
    return bytes(body), content_type


def _file_name(file: object, default: str) -> str:
    name = getattr(file, "name", None)
    return name.rpartition("/")[2] if isinstance(name, str) else default
