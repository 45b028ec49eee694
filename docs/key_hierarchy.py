"""Draw how the keys of a vault hang together: `python -m docs.key_hierarchy`.

The numbers of Argon2id are those of the code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from docs.drawing import PICTURES, WIDTH, arrow_down, box, picture, text
from interpal.vault import KdfParameters

if TYPE_CHECKING:
    from pathlib import Path

LEFT, HEIGHT, GAP = 10, 46, 40


def svg() -> str:
    """The picture."""
    kdf = KdfParameters.DEFAULT
    cost = f"{kdf.memory_kib // 1024} MiB, {kdf.passes} passes, {kdf.lanes} lanes"
    half = (WIDTH - 2 * LEFT - 20) / 2
    right = LEFT + half + 20
    wide = WIDTH - 2 * LEFT
    parts: list[str] = []
    y = 10.0

    def one(x: float, width: float, name: str, more: str, kind: str = "box") -> None:
        parts.extend(
            [
                box(x, y, width, HEIGHT, kind),
                text(x + 10, y + 19, name, "name"),
                text(x + 10, y + 36, more, "small"),
            ]
        )

    def on(x: float, label: str, more: str = "") -> None:
        parts.extend(arrow_down(x, y + HEIGHT, y + HEIGHT + GAP))
        parts.append(text(x + 10, y + HEIGHT + 17, label, "small name"))
        parts.append(text(x + 10, y + HEIGHT + 31, more, "small"))

    one(LEFT, half, "Passphrase", "known to you")
    on(LEFT + 24, "Argon2id", cost)
    y += HEIGHT + GAP
    one(LEFT, half, "Key-encryption key", "32 bytes, never stored")
    one(right, half, "Raw key", "32 bytes: key file, variable")
    on(LEFT + 24, "A256KW", "opens this slot")
    on(right + 24, "A256KW", "opens this slot")
    y += HEIGHT + GAP
    one(LEFT, half, "Key slot 1", "wraps the vault key")
    one(right, half, "Key slot 2", "wraps the same vault key")
    on(LEFT + 24, "unwrapped")
    on(right + 24, "unwrapped")
    y += HEIGHT + GAP
    one(LEFT, wide, "Vault key", "32 random bytes; a rotation draws a new one", "blue-box")
    on(LEFT + 24, "A256KW", "new for each save")
    on(right + 24, "HMAC-SHA-256", "compared first")
    y += HEIGHT + GAP
    one(LEFT, half, "Content key", "encrypts one content, once")
    one(right, half, "Commitment, names", "keyed hashes")
    on(LEFT + 24, "AES-256-GCM", "with the header as its additional data")
    y += HEIGHT + GAP
    one(LEFT, wide, "Records", "sessions, with their names", "green-box")
    title = "How the keys of a vault hang together, from the passphrase down to the records"
    return picture(title, WIDTH, y + HEIGHT + 10, parts)


def make(folder: Path) -> None:
    """Write the picture into *folder*."""
    (folder / "keys.svg").write_text(svg(), encoding="utf-8")


if __name__ == "__main__":
    make(PICTURES)
