"""What a start costs in processor instructions, which no other load of the machine changes.

`python -m benchmarks.instructions` prints the table of docs/cost.md that says where a resume
spends what it takes beyond its floor. It needs valgrind, and takes a minute.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.cases.resuming import IMPORTS, OURS
from benchmarks.children import ROOT, Program, compile_package, environment
from benchmarks.records import vault_file
from interpal._hidden import Hidden
from interpal.vault.format import jwe

# What a resume imports beside its own modules and those of the floor.
OTHERS = f"""{IMPORTS}
import _datetime, contextvars, binascii, errno
from cryptography.hazmat.primitives import hashes, hmac, keywrap
"""
WITHOUT_END = "\nimport os\nos._exit(0)\n"
WITHOUT_COLLECTOR = "import gc\ngc.disable()\n"
MARSHAL, CLASSES = "marshal_loads", "builtin___build_class__"


def first_use() -> str:
    """A program that imports all that, and uses of OpenSSL what a resume uses."""
    key = Hidden(bytes(32))
    sealed = jwe.seal("", Hidden(b"{}"), key, content_key=key, iv=bytes(12))
    return f"""{OTHERS}
code = hmac.HMAC(bytes(32), hashes.SHA256())
code.update(b"")
code.finalize()
AESGCM(keywrap.aes_key_unwrap(bytes(32), {sealed.encrypted_key!r})).decrypt(
    bytes(12), {sealed.ciphertext + sealed.tag!r}, None)
"""


def count(source: str, vault: Path) -> dict[str, float]:
    """Millions of instructions of a program: all (""), and below some functions of Python."""
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "callgrind.out"
        subprocess.run(
            [
                *("valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"),
                *(sys.executable, "-c", source, str(vault)),
            ],
            cwd=vault.parent,
            env={**environment(vault.parent), "PYTHONHASHSEED": "0", "PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=True,
        )
        listed = subprocess.run(
            ["callgrind_annotate", "--inclusive=yes", "--threshold=100", str(out)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    found = {"": _millions(re.search(r"^\s*([\d,]+).*PROGRAM TOTALS", listed, re.MULTILINE))}
    for function in (MARSHAL, CLASSES):
        line = re.search(rf"^\s*([\d,]+).*:{function}(?: |$)", listed, re.MULTILINE)
        found[function] = _millions(line)
    return found


def _millions(line: re.Match[str] | None) -> float:
    return 0.0 if line is None else int(line[1].replace(",", "")) / 1e6


def steps(vault: Path) -> dict[str, float]:
    """What a resume does beside the floor, each with its millions of instructions."""
    modules = Program(vault.parent, f"{OURS}print(*sys.modules)", str(vault)).run().split()
    own = [name for name in modules if name.partition(".")[0] == "interpal"]
    imports = f"{first_use()}from interpal import InterpalClient\n"
    sources = (IMPORTS, OTHERS, first_use(), imports, OURS)
    floor, others, used, imported, ours = (
        count(WITHOUT_COLLECTOR + source + WITHOUT_END, vault) for source in sources
    )
    code, classes = (imported[part] - used[part] for part in (MARSHAL, CLASSES))
    ended = {source: count(source + WITHOUT_END, vault)[""] for source in (IMPORTS, OURS)}
    whole = {source: count(source, vault)[""] for source in (IMPORTS, OURS)}
    return {
        "the floor, all of it": whole[IMPORTS],
        "a resume, all of it": whole[OURS],
        "importing modules of the standard library and of cryptography": others[""] - floor[""],
        "first use of OpenSSL": used[""] - others[""],
        f"reading the code of {len(own)} files": code,
        "making classes": classes,
        "finding and opening the files, and the rest of the modules": (
            imported[""] - used[""] - code - classes
        ),
        "the resume itself": ours[""] - imported[""],
        "the garbage collector meanwhile": (ended[OURS] - ours[""]) - (ended[IMPORTS] - floor[""]),
        "the end of the interpreter": (whole[OURS] - ended[OURS])
        - (whole[IMPORTS] - ended[IMPORTS]),
    }


def main() -> None:
    """Print the table."""
    compile_package()
    with tempfile.TemporaryDirectory() as name:
        for what, millions in steps(vault_file(Path(name), 1)).items():
            print(f"| {what} | {millions:.1f} |")


if __name__ == "__main__":
    main()
