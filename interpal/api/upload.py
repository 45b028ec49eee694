"""A file on its way to the site: `multipart/form-data` (RFC 7578) that is streamed.

It is read piece by piece, knows its length beforehand, reports its progress, and can be sent again
from its start where the session turned out to have ended.
"""

from __future__ import annotations

import io
import mimetypes
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, BinaryIO

from interpal.exceptions import NetworkError, ValidationError

PIECE = 65536

File = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO
OnProgress = Callable[[int, int], object]


class Upload:
    """A form with one file in it.

    *file* is a path, the bytes, or a file open for reading bytes, from where it stands.
    *on_progress* is called with the bytes of the file that have been handed to the network, and
    how many it has. Raises `ValidationError`, and OSError where the file cannot be read. Use it
    in a `with`, which closes what it has opened.
    """

    # What tells a request that it may be sent again.
    repeatable = True

    def __init__(
        self,
        name: str,
        file: File,
        fields: Mapping[str, Any],
        on_progress: OnProgress | None = None,
    ) -> None:
        if on_progress is not None and not callable(on_progress):
            raise ValidationError("on_progress: expected a function")
        self._own = isinstance(file, (str, os.PathLike))
        self._on_progress = on_progress
        # What the function raised: it ends the upload, and is raised where that was asked for.
        self.failure: BaseException | None = None
        title, kind = _name_of(file)
        boundary = os.urandom(16).hex()
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self._head, self._tail = _frame(boundary, name, title, kind, fields)
        self._file: BinaryIO = _opened(file)
        try:
            self._start: int = self._file.tell()
            self._size: int = self._file.seek(0, os.SEEK_END) - self._start
            self._file.seek(self._start)
        except (OSError, ValueError):
            self.close()
            raise
        self._sent = 0

    def __repr__(self) -> str:
        return f"<Upload of {self._size} bytes>"

    def __len__(self) -> int:
        return len(self._head) + self._size + len(self._tail)

    def __enter__(self) -> Upload:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, where it was opened here."""
        if self._own:
            self._file.close()

    def __iter__(self) -> Iterator[bytes]:
        yield self._head
        self._rewind()
        while piece := self._read():
            yield piece
            self._tell()
        yield self._tail

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The same for asyncio: the file is read in a worker thread."""
        import asyncio

        loop = asyncio.get_running_loop()
        yield self._head
        await loop.run_in_executor(None, self._rewind)
        while piece := await loop.run_in_executor(None, self._read):
            yield piece
            self._tell()
        yield self._tail

    def _rewind(self) -> None:
        self._file.seek(self._start)
        self._sent = 0

    def _read(self) -> bytes:
        piece = self._file.read(min(PIECE, self._size - self._sent))
        self._sent += len(piece)
        if not piece and self._sent < self._size:
            raise NetworkError("upload: the file became shorter while it was being sent")
        return piece

    def _tell(self) -> None:
        if self._on_progress is None:
            return
        try:
            self._on_progress(self._sent, self._size)
        except BaseException as error:
            self.failure = error
            raise


def _opened(file: Any) -> Any:
    if isinstance(file, (bytes, bytearray, memoryview)):
        return io.BytesIO(file)
    if isinstance(file, (str, os.PathLike)):
        return open(file, "rb")
    if not callable(getattr(file, "read", None)):
        raise ValidationError("file_path: expected a path, bytes, or a file open for reading")
    if isinstance(file, io.TextIOBase):
        raise ValidationError("file_path: the file is open for text; open it with mode 'rb'")
    if not (callable(getattr(file, "seekable", None)) and file.seekable()):
        # A pipe: how long it is shows only at its end.
        return io.BytesIO(file.read())
    return file


def _name_of(file: File) -> tuple[str, str]:
    """The name of the file, without its folder, and its media type."""
    path = file if isinstance(file, (str, os.PathLike)) else getattr(file, "name", None)
    title = os.path.basename(os.fspath(path)) if isinstance(path, (str, os.PathLike)) else ""
    kind = mimetypes.guess_type(title)[0] or "application/octet-stream"
    return title or "photo", kind


def _frame(
    boundary: str, name: str, title: str, kind: str, fields: Mapping[str, Any]
) -> tuple[bytes, bytes]:
    """What stands before and behind the file."""
    lines: list[str] = []
    for field, value in fields.items():
        if value is not None:
            lines += [f"--{boundary}", f'Content-Disposition: form-data; name="{field}"', ""]
            lines.append(str(value))
    # RFC 7578 section 4.2: as browsers write what would end the name.
    for mark, code in (('"', "%22"), ("\r", "%0D"), ("\n", "%0A")):
        title = title.replace(mark, code)
    lines += [
        f"--{boundary}",
        f'Content-Disposition: form-data; name="{name}"; filename="{title}"',
        f"Content-Type: {kind}",
        "",
        "",
    ]
    try:
        head = "\r\n".join(lines).encode("utf-8")
    except UnicodeEncodeError:
        head = b""  # The error would carry the text.
    if not head:
        del lines, fields, title
        raise ValidationError("a name or a field of the upload cannot be written as UTF-8")
    return head, f"\r\n--{boundary}--\r\n".encode()
