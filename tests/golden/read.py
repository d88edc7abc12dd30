#!/usr/bin/env python3
"""Reads a kpid journal without kpid: written from the documentation of `src/journal/mod.rs` alone, to prove that it says
enough. Prints one line of JSON a block, series, row or fact, as the `.dump` beside a golden journal has it.

    read.py FOLDER            prints what is in a journal
    read.py --check GOLDEN    reads every journal in GOLDEN that has a .dump, and compares; the last line is
                              `N passed, M failed`

Needs the packages blake3, crc32c, zstandard and pcodec."""

import json
import pathlib
import re
import struct
import sys

import blake3
import crc32c
import numpy
import pcodec.standalone
import zstandard

HEADER = struct.Struct("<4sHHQIIqIIII32sII")
DTYPES = {"u32": numpy.uint32, "u64": numpy.uint64, "i64": numpy.int64, "u8": numpy.uint8, "f64": numpy.float64}


class Damage(Exception):
    """What does not fit the format."""


def fit(holds, words):
    if not holds:
        raise Damage(words)


class Cursor:
    def __init__(self, data):
        self.data, self.at = data, 0

    def done(self):
        return self.at == len(self.data)

    def take(self, count):
        fit(self.at + count <= len(self.data), "bytes end early")
        self.at += count
        return self.data[self.at - count : self.at]

    def byte(self):
        return self.take(1)[0]

    def varint(self):
        value, shift = 0, 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                fit(value < 1 << 64, "a number has more than 64 bits")
                return value

    def signed(self):
        word = self.varint()
        return word >> 1 if word & 1 == 0 else -(word + 1 >> 1)


def swapped(word):
    """A word as the bits of the f64 that it stands for."""
    return int.from_bytes(word.to_bytes(8, "little"), "big")


class Text:
    """A text section: one run of numbers, one of UTF-8."""

    def __init__(self, cursor):
        encoding = cursor.byte()
        plain = b"\0" if encoding == 0 else cursor.take(cursor.varint())
        if encoding == 2:
            packed = Cursor(plain)
            length = packed.varint()
            plain = zstandard.ZstdDecompressor().decompress(packed.data[packed.at :], max_output_size=length)
            fit(len(plain) == length, "a zstd frame has another length")
        fit(encoding <= 2, "a text section has an unknown encoding")
        plain = Cursor(plain)
        self.control = Cursor(plain.take(plain.varint()))
        self.words = Cursor(plain.data[plain.at :])

    def done(self):
        return self.control.done() and self.words.done()

    def text(self):
        return self.words.take(self.control.varint()).decode("utf-8")

    def instant(self):
        return self.control.signed()

    def number(self):
        return self.control.varint()

    def byte(self):
        return self.control.byte()

    def float(self):
        return f"{swapped(self.number()):016x}"


def packed(data, kind, rows):
    found = pcodec.standalone.simple_decompress(data)
    fit(found.dtype == DTYPES[kind] and len(found) == rows, "a pco column of another type or length")
    return found


def decimals(payload, rows):
    """The bits of quotients, but for exceptions."""
    power, width, least = 10.0 ** payload.byte(), payload.byte(), payload.signed()
    fit(width in (4, 8), "whole numbers of an unknown width")
    exceptions, row = {}, 0
    for _ in range(payload.varint()):
        row += payload.varint()
        exceptions[row] = int.from_bytes(payload.take(8), "little")
        row += 1
    fit(row <= rows, "an exception behind the last row")
    above = packed(payload.data[payload.at :], {4: "u32", 8: "u64"}[width], rows)
    bits = numpy.array([float(least + int(one)) / power for one in above]).view(numpy.uint64).tolist()
    return [exceptions.get(row, one) for row, one in enumerate(bits)]


def forward(payload, rows):
    """Whole numbers by steps, but for exceptions."""
    base, exceptions, row = payload.signed(), {}, 0
    for _ in range(payload.varint()):
        word = payload.varint()
        row += word >> 1
        exceptions[row] = payload.signed(), word & 1
        row += 1
    fit(row <= rows, "an exception behind the last row")
    found = []
    for row, step in enumerate(packed(payload.data[payload.at :], "u32", rows)):
        difference, goes_on = exceptions.get(row, (int(step), 1))
        found.append(base + difference)
        base = found[-1] if goes_on else base
    return found


def column(cursor, kind, rows):
    encoding = cursor.byte()
    if encoding == 0:
        fit(rows == 0, "a column is empty and the block is not")
        return []
    payload = cursor.take(cursor.varint())
    if encoding == 3:
        found = packed(payload, kind, rows)
        return found.view(numpy.uint64).tolist() if kind == "f64" else found.tolist()
    if encoding == 4 and kind == "f64":
        return decimals(Cursor(payload), rows)
    if encoding == 5 and kind == "i64":
        return forward(Cursor(payload), rows)
    fit(encoding in (1, 2), "a column has an unknown encoding")
    words, found, before = Cursor(payload), [], 0
    for _ in range(1 if encoding == 1 else rows):
        if kind == "f64":
            found.append(swapped(words.varint()))
        else:
            before += words.signed()
            found.append(before)
    fit(words.done(), "a column has more words than rows")
    return found * rows if encoding == 1 else found


def extra(section):
    flags = section.byte()
    return {
        "id": section.text() if flags & 1 else None,
        "labels": [[section.text(), section.text()] for _ in range(section.number())] if flags & 2 else [],
        "note": section.text() if flags & 4 else None,
        "by": section.text() if flags & 8 else None,
    }


def place(section):
    return [section.number(), section.number(), section.instant()]


def value(section):
    shape = section.byte()
    if shape == 0:
        return ["number", section.float()]
    if shape == 1:
        return ["weighted", section.float(), section.float()]
    if shape == 2:
        return ["ratio", section.float(), section.float()]
    if shape == 3:
        return ["word", section.text()]
    if shape == 5:
        return ["weighted word", section.text(), section.float()]
    fit(shape == 4, "a value has an unknown shape")
    return ["not applicable"]


def fact(section):
    kind = section.byte()
    text, instant = section.text, section.instant
    if kind == 1:
        return {"fact": "MeasurementCorrected", "place": place(section), "corrects": text(), "observed_at": instant(),
                "received_at": instant(), "value": value(section), "extra": extra(section)}
    if kind == 2:
        return {"fact": "MeasurementRetracted", "place": place(section), "retracts": text(), "received_at": instant(),
                "extra": extra(section)}
    if kind == 3:
        return {"fact": "CatalogActivated", "fingerprint": text(),
                "files": [[text(), text()] for _ in range(section.number())]}
    if kind == 4:
        return {"fact": "NoteAdded", "about": instant(), "path": text(), "text": text(), "by": text()}
    if kind == 5:
        return {"fact": "AlertAcknowledged", "until": instant() if section.byte() else None, "rule": text(),
                "path": text(), "by": text(), "reason": text()}
    if kind == 6:
        has_rule = section.byte()
        found = {"fact": "SilenceSet", "from": instant(), "until": instant(), "id": text(), "on": text(), "by": text(),
                 "reason": text()}
        return found | {"rule": text() if has_rule else None}
    fit(kind == 7, "a fact is of an unknown kind")
    return {"fact": "HistoryTrimmed", "up_to": section.number(), "hash": section.control.take(32).hex()}


def sparse(section, read):
    """Rows as differences, each with what stands beside it."""
    row = 0
    while not section.done():
        row += section.number()
        yield row, read(section)


def words_of(section):
    if section.done():
        return {}
    different = [section.text() for _ in range(section.number())]
    return {row: different[index] for row, index in sparse(section, Text.number)}


def measured(shape, bits, second, word):
    bits, second = f"{bits:016x}", f"{second:016x}"
    return [["number", bits], ["weighted", bits, second], ["ratio", bits, second], ["word", word], ["not applicable"],
            ["weighted word", word, second]][shape]


def body(header, data):
    cursor = Cursor(data)
    section = Text(cursor)
    positions = []
    while not section.done():
        positions.append([section.text(), section.number()])
    yield {"block": header["first"], "facts": header["facts"], "recorded_at": header["recorded_at"],
           "positions": positions}
    section = Text(cursor)
    number = header["series_base"]
    while not section.done():
        has_each = section.byte()
        line = {"series": number, "kpi": section.text(), "source": section.text()}
        yield line | {"each": [section.text(), section.text()] if has_each else None}
        number += 1
    fit(number == header["series_base"] + header["new_series"], "another number of new series")
    rows = header["rows"]
    series, observed, waited, shapes, values, seconds = (
        column(cursor, kind, rows) for kind in ("u32", "i64", "i64", "u8", "f64", "f64"))
    words = words_of(Text(cursor))
    extras = dict(sparse(Text(cursor), extra))
    others = list(sparse(Text(cursor), fact))
    fit(cursor.data[cursor.at :].strip(b"\0") == b"" and len(cursor.data) - cursor.at < 8, "something behind the end")
    sequence = header["first"]
    for row in range(rows + 1):
        while others and others[0][0] == row:
            yield others.pop(0)[1] | {"sequence": sequence}
            sequence += 1
        if row < rows:
            yield {"sequence": sequence, "series": series[row], "observed_at": observed[row],
                   "received_at": header["recorded_at"] - waited[row],
                   "value": measured(shapes[row], values[row], seconds[row], words.get(row)), "extra": extras.get(row)}
            sequence += 1
    fit(not others and sequence == header["first"] + header["facts"], "another number of facts")


def blocks(data, chain):
    """The blocks of a segment, in order; `chain` moves on with them."""
    at = 0
    while at + HEADER.size <= len(data) and data[at : at + HEADER.size].strip(b"\0"):
        fields = HEADER.unpack_from(data, at)
        magic, version, zero, first, facts, rows, recorded_at, series_base, new_series, length, crc, before, _, own = fields
        fit(magic == b"\xffKPJ" and version in (1, 2, 3) and zero == 0, "no block of a known version")
        fit(crc32c.crc32c(data[at : at + 84]) == own, "the checksum of a header")
        end = at + HEADER.size + length
        content = data[at + HEADER.size : end]
        fit(len(content) == length and length % 8 == 0 and crc32c.crc32c(content) == crc, "the checksum of a body")
        fit((first, series_base, before) == (chain["next"], chain["series"], chain["hash"]), "the chain")
        fit(recorded_at >= chain["recorded_at"], "recorded before the block before")
        yield from body({"first": first, "facts": facts, "rows": rows, "recorded_at": recorded_at,
                         "series_base": series_base, "new_series": new_series}, content)
        chain.update(next=first + facts, series=series_base + new_series, recorded_at=recorded_at,
                     hash=blake3.blake3(data[at:end]).digest())
        at = end
    fit(not data[at:].strip(b"\0"), "something behind the last block")


def journal(folder):
    chain = {"next": 1, "series": 0, "recorded_at": 0, "hash": bytes(32)}
    segments = sorted(path for path in folder.iterdir() if re.fullmatch(r"\d{20}\.seg", path.name))
    for path in segments:
        fit(int(path.stem) == chain["next"], f"{path.name}: a segment is missing before it")
        yield from blocks(path.read_bytes(), chain)
    yield {"head": chain["hash"].hex()}


def dump(folder):
    line = lambda found: json.dumps(found, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "".join(f"{line(found)}\n" for found in journal(folder))


def check(golden):
    passed = failed = 0
    for kept in sorted(golden.glob("*.dump")):
        same = dump(kept.with_suffix("")) == kept.read_text(encoding="utf-8")
        passed, failed = passed + same, failed + (not same)
        print(f"{kept.stem}: {'the same' if same else 'DIFFERS from what kpid reads'}")
    print(f"{passed} passed, {failed} failed")
    return failed > 0 or passed == 0


if __name__ == "__main__":
    if sys.argv[1] == "--check":
        sys.exit(check(pathlib.Path(sys.argv[2])))
    sys.stdout.write(dump(pathlib.Path(sys.argv[1])))
