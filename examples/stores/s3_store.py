"""A vault in an object of S3, or of what speaks its language: `If-Match` decides who was first.

Conditional writes are in S3 since 2024, and in MinIO, R2 and others. Needs boto3.
"""

from __future__ import annotations

from typing import Any


class S3Place:
    """`bucket`/`key` as the place of a `SimpleStore`. *client* is `boto3.client("s3")`."""

    def __init__(self, client: Any, bucket: str, key: str) -> None:
        self._client = client
        self._object = {"Bucket": bucket, "Key": key}
        # The tag of what was loaded or saved last: `if_unchanged` is that, or is looked up anew.
        self._last: tuple[bytes | None, str] = None, ""

    def load(self) -> bytes | None:
        """What is there."""
        try:
            found = self._client.get_object(**self._object)
        except self._client.exceptions.NoSuchKey:
            self._last = None, ""
            return None
        except Exception as error:
            raise OSError(f"S3: {type(error).__name__}") from error
        data: bytes = found["Body"].read()
        self._last = data, found["ETag"]
        return data

    def save(self, data: bytes, *, if_unchanged: bytes | None) -> bool:
        """Save, if nobody else has."""
        if self._last[0] != if_unchanged and self.load() != if_unchanged:
            return False
        tag = self._last[1]
        condition = {"IfMatch": tag} if tag else {"IfNoneMatch": "*"}
        try:
            saved = self._client.put_object(Body=data, **condition, **self._object)
        except Exception as error:
            status = getattr(error, "response", {}).get("ResponseMetadata", {})
            # 412: another one is there; 404: it was taken away; 409: two at the same moment.
            if status.get("HTTPStatusCode") in (404, 409, 412):
                return False
            raise OSError(f"S3: {type(error).__name__}") from error
        self._last = data, saved["ETag"]
        return True
