"""The body of a reply: decompressed here, and bounded however small it was on the way."""

from __future__ import annotations

from typing import Any

from interpal.exceptions import NetworkError

LARGEST_REPLY = 16 * 2**20

_PIECE = 65536
# Content codings of RFC 9110, section 8.4.1, that the standard library can undo.
_GZIP = frozenset({"gzip", "x-gzip"})
_DEFLATE = "deflate"
_NONE = frozenset({"identity", ""})
_TOO_LONG = f"has more than {LARGEST_REPLY // 2**20} MiB"


class ReplyBody:
    """Collects the pieces of one body as they are on the wire; `content()` is the whole of it.

    Compression is undone here and not by an HTTP library, since older ones decompress a piece
    at once, whatever it grows to. Not more than 16 MiB are taken, nor made of what was taken.
    """

    def __init__(self, coding: str | None) -> None:
        """*coding* is the header Content-Encoding. The clients ask for none."""
        self._coding = (coding or "").strip().lower()
        self._inflater: Any = None
        self._taken = 0
        self._made = 0
        self._pieces: list[bytes] = []
        self._fault: str | None = None

    def add(self, piece: bytes) -> bool:
        """Take the next bytes. False where there is no use in more: `content()` will say why.

        Nothing is raised here: a traceback may show the values of variables.
        """
        self._taken += len(piece)
        if not piece:
            pass
        elif self._taken > LARGEST_REPLY:
            self._fault = _TOO_LONG
        elif self._coding in _NONE:
            self._keep(piece)
        elif self._coding in _GZIP or self._coding == _DEFLATE:
            self._inflate(piece)
        else:
            self._fault = "is compressed in a way that is not supported"
        return self._fault is None

    def content(self, where: str) -> bytes:
        """The whole body. *where* begins the message of the error.

        Raises `NetworkError` for one that is too long, or that cannot be decompressed.
        """
        if self._fault is None and self._inflater is not None and not self._inflater.eof:
            self._fault = "ended early"
        if self._fault is not None:
            self._pieces.clear()
            raise NetworkError(f"{where}: the reply {self._fault}")
        return b"".join(self._pieces)

    def _inflate(self, piece: bytes) -> None:
        import zlib

        if self._inflater is None:
            self._inflater = zlib.decompressobj(_window(self._coding, piece[0]))
        while piece and self._fault is None:
            try:
                self._keep(self._inflater.decompress(piece, _PIECE))
            except zlib.error:
                self._fault = "cannot be decompressed"
            piece = self._inflater.unconsumed_tail
            if self._inflater.unused_data:
                self._fault = "cannot be decompressed: there is more behind its end"

    def _keep(self, piece: bytes) -> None:
        self._made += len(piece)
        if self._made > LARGEST_REPLY:
            self._fault = _TOO_LONG
        else:
            self._pieces.append(piece)


def _window(coding: str, first: int) -> int:
    """The argument of zlib for a coding. `deflate` is zlib's form, or bare as some servers send."""
    import zlib

    if coding in _GZIP:
        return 16 + zlib.MAX_WBITS
    return zlib.MAX_WBITS if first & 0x0F == zlib.DEFLATED else -zlib.MAX_WBITS
