"""Mutants that no test notices, by kind, each explained. Line P fails for one of no kind."""

from __future__ import annotations

import re
from typing import NamedTuple


class Survivor(NamedTuple):
    """A kind of mutant: where it may be and how it looks (patterns), and why no test need notice.

    `what` says the same as the patterns, for people.
    """

    what: str
    where: str
    change: str
    reason: str

    def explains(self, where: str, change: str) -> bool:
        """Whether the mutant at *where*, `old => new`, is of this kind."""
        return bool(re.search(self.where, where) and re.search(self.change, change, re.DOTALL))


SURVIVORS: tuple[Survivor, ...] = (
    Survivor(
        "the name of a codec in capitals, `ASCII` for `ascii`",
        r"",
        r"\"(ascii|utf-8)\".* => .*\"(ASCII|UTF-8)\"",
        "Python takes them for the same codec.",
    ),
    Survivor(
        "the name of a member, in the call that checks it, wrong or left out",
        r"^(key_slots\.(parse_slot|read_slot|_read_kdf|check_bounds)|record_envelope\._check_record_header"
        r"|envelope\.(parse|_read_header)|header\.\w+)$",
        r"(header\.\w+\(|read_slot\(|check_bounds\(|json_object\(|as_object\(|text\(|integer\(|"
        r"vault\.updated_at).* => .*(None|\"XX[\w. ]+XX\"|\"[A-Z_. ]+\"|, \)|\], ID_BYTES\)|"
        r"\], len\(tag\)\))",
        "It is read by people in the message of the error and by nothing else; tests look at the "
        "member that a fault is about, not at each that might be.",
    ),
    Survivor(
        "the length of `vault.id` and `vault.name` of a record not checked",
        r"^record_envelope\._check_record_header$",
        r"header\.decoded\(.*!= (vault_id|tag)",
        "Right after that they are compared with what they must be, length included.",
    ),
    Survivor(
        "the default name of a slot in messages",
        r"^key_slots\.",
        r"field: str = \"slot\"",
        "Wording of an error.",
    ),
    Survivor(
        "a reason, continued in the message of an error, worded otherwise",
        r"^payload\.",
        r"^return (\"[a-z<]|str\(unfit\))",
        "Wording of an error, or the redacted repr; that a fault is found at all is tested.",
    ),
    Survivor(
        "the bound in the message of an Argon2id over it, computed otherwise",
        r"^key_slots\._beyond_bounds$",
        r"GiB-passes",
        "A number in the wording of an error; the bound itself is tested from both sides.",
    ),
    Survivor(
        '`passphrase = ""` for `passphrase = None`',
        r"^key_slots\.normalise_passphrase$",
        r"^passphrase = None => ",
        "Either takes the passphrase out of the frame before an error is raised.",
    ),
    Survivor(
        "`version=19` not given to argon2",
        r"^key_slots\.derive_key$",
        r"version=19",
        "It is the default of the library; RFC 9106 results are compared in the tests.",
    ),
    Survivor(
        "`or` for `and` in `kdf is not None and salt is not None`",
        r"^key_slots\.make_slot$",
        r"^if kdf is not None and salt is not None",
        "That both are given or neither was checked just before.",
    ),
    Survivor(
        "no header in the envelope that is written",
        r"^envelope\.seal$",
        r"Envelope\(None, sealed\)",
        "`to_bytes` writes the sealed parts, which hold the header.",
    ),
    Survivor(
        "`zip` that is not strict",
        r"",
        r"strict=",
        "The two are of one length by construction.",
    ),
    Survivor(
        "more padding given to the decoder of base64url than is needed",
        r"^jwe\.b64decode$",
        r"rest % ",
        "The decoder takes more of it; how the text must end is checked before.",
    ),
    Survivor(
        "another most of parts that a compact JWE is split into",
        r"^jwe\.from_compact$",
        r"split\(",
        "Anything but five parts is refused; the most only saves work.",
    ),
    Survivor(
        '`float("INF")` for `float("inf")`',
        r"^jwe\._finite$",
        r"INF",
        "Python reads both.",
    ),
    Survivor(
        "slots of None in a header that is still being read",
        r"^envelope\._read_header$",
        r"slots=None",
        "They are put in a few lines later.",
    ),
    Survivor(
        "one bracket or comma less allowed in a file",
        r"^envelope\.parse$",
        r"_MAX_PUNCTUATION",
        "A guard of time, a thousand times over what a vault has.",
    ),
    Survivor(
        "a file of exactly 256 MiB refused",
        r"^envelope\.(seal|parse)$",
        r"MAX_FILE_BYTES",
        "A vault of a million records stays well under it; a test would take a gigabyte.",
    ),
    Survivor(
        "another mode for the empty file that holds the name of one set aside",
        r"^private_files\.Folder\._reserve$",
        r"os\.open\(aside",
        "It is empty, and replaced by the file that is set aside, mode and all.",
    ),
    Survivor(
        "a key file opened without O_NONBLOCK and O_NOCTTY",
        r"^private_files\.read_secret_file$",
        r"O_RDONLY & _SAFE",
        "They matter only where something else takes the place of the file between the look and "
        "the open.",
    ),
    Survivor(
        "no path in the error of a key file that is no regular file any more",
        r"^private_files\.read_secret_file$",
        r"_check_regular\(None",
        "The same moment between the look and the open.",
    ),
    Survivor(
        "a key file that is too large read, up to the limit, before it is refused",
        r"^private_files\.read_secret_file$",
        r"or True else None",
        "Reading stops one byte after the limit, and what is over it is refused then.",
    ),
    Survivor(
        "no number in the error of a file that grew over the limit while it was read",
        r"^private_files\.Folder\.read$",
        r"_too_large\(path, None\)",
        "Wording of an error; that it comes is tested.",
    ),
    Survivor(
        "the names of a file counted also where it has one link only",
        r"^private_files\.Folder\._check_file$",
        r"st_nlink >= 1",
        "The count gives one again; what differs is the time that it takes.",
    ),
    Survivor(
        "a record that may be of just the largest size looked at twice",
        r"^payload\._unfit_record$",
        r"\[1\] < MAX_RECORD_BYTES",
        "A quick look before `record_fault`, which judges.",
    ),
    Survivor(
        "pieces of a read of another size, or one piece joined like several",
        r"^private_files\._read_all$",
        r"^wanted = |len\(pieces\)",
        "The same bytes, read in other portions.",
    ),
    Survivor(
        "the reason why something is no JSON worded otherwise",
        r"^jwe\._load$",
        r"^return None, \"[^\"]*\" => return None, \"",
        "Wording of an error; that it comes is tested.",
    ),
    Survivor(
        "a text that needs no closer look looked at all the same",
        r"^jwe\.(_load|is_deeper)$",
        r"=> if (b\"\\\\\" in data or |.* < max_depth:)",
        "The closer look finds nothing then.",
    ),
    Survivor(
        "a number of 18 characters looked at before it is refused",
        r"^jwe\._int$",
        r"<= 18:",
        "Its value is compared with the bound either way.",
    ),
    Survivor(
        "a bound on the size of a record, or on its members, a little higher",
        r"^payload\.(_survey_value|_is_sound)$",
        r"=> (return (0, len\(value\), 1|1, len\(value\), 0|0, 1, 0|0, 0, 1|members, 1, size)"
        r"|widest, most = (2, 0|1, 1))$",
        "What passes a bound is sound; what does not is judged exactly, which only takes longer. "
        "(The members are those of text that is no `str` itself, which no reader has.)",
    ),
    Survivor(
        "the quick proof that a payload is sound given up sooner",
        r"^payload\._is_sound$",
        r"=> (if b\"\[\" in data or \(b\"\\\\\" in data or |written \+= sum|return$"
        r"|if written (< 0|<= 1):|.*(> 0|>= 1)$|.*(DEPTH - 2|default=1\)|type\(None\) is dict"
        r"|most \+ 2|// 5$|window (<= 16|< 17):|range\(1, |len\(data\) \+ window|XX\"XX"
        r"|len\(data\), \)\)$))",
        "It is a proof or nothing: without it the payload is judged exactly.",
    ),
    Survivor(
        "a count of members in the text, or of those that were read, that cannot be right",
        r"^payload\.(_shape_fault|_survey)$",
        r"^(written -= .* => written (\+= |-= .* - )|members \+= below => members (= |-= ))",
        "The two counts then differ for payloads that are sound as well, and what differs is read "
        "again, strictly.",
    ),
    Survivor(
        "a record whose size might be the largest, or is, measured exactly or not",
        r"^payload\._shape_fault$",
        r"^if size > MAX_RECORD_BYTES .* => if size >= MAX_RECORD_BYTES ",
        "The bound only says whether to measure.",
    ),
    Survivor(
        "a value looked at in the long way, or a character counted that is none",
        r"^payload\._survey$",
        r"=> (characters = 1|kind = (None|type\(None\))|or kind is bool and |.* 7 \* characters)",
        "The short way is for speed; a bound that is a little higher is one still.",
    ),
    Survivor(
        "the one look at all names together settles nothing",
        r"^payload\._names_fault$",
        r"=> if \"(\"\.join\(None|XXXX\"|\"\.join\(names\).*"
        r"(\(None|\(len, (None)?\)|map\(names\)| < 256:))",
        "Then each name is judged by itself.",
    ),
    Survivor(
        "the payload read strictly at once",
        r"^payload\.decode_payload$",
        r"(allow_float=True, \)|shape=(True|None)\))$",
        "What follows would read it so where it has to. (None is no.)",
    ),
    Survivor(
        "another number of KiB in the message of an error",
        r"^payload\.",
        r"KiB\" => ",
        "Wording of an error.",
    ),
    Survivor(
        "another way to say no to json: `ensure_ascii=None`, `allow_nan` other or absent",
        r"^jwe\._load$",
        r"ensure_ascii=None|allow_nan=None|allow_nan=True|separators=\(\",\", \":\"\), \)",
        "None is no; and no NaN comes so far, since every number was looked at before.",
    ),
)
