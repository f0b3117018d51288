#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Proves from the log of a check:// sink what became of a gen:// source.

For every table: its rows are the source's, each exactly once, in order, from the start on, none missing up to the
checkpoint; and nobody wrote with a smaller placement than somebody before. Knows the source from its URI alone.

Prints one line of JSON; exits with 0 if all of it holds, 1 if not, 2 if it could not look.
"""

import argparse
import json
import math
import os
import struct
import sys
import urllib.parse

RECORD = struct.Struct("<IIqQQQQQII")
HEADER = struct.Struct("<QQQQQI")
MAGIC = 0x736C636865636B31
CLAIM, ROW, REFUSED = 1, 2, 3
DELETE = 2
MASK = (1 << 64) - 1


def mix(x):
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


class Source:
    def __init__(self, uri):
        parts = urllib.parse.urlsplit(uri)
        if parts.scheme != "gen":
            raise ValueError("the source is not gen://")
        values = {name: int(value[0]) for name, value in urllib.parse.parse_qs(parts.query).items()}
        self.tables = values.get("tables", 1)
        self.seed = values.get("seed", 0)
        self.keys = values.get("keys", 1000)
        self.limit = values.get("limit", MASK)
        self.rate = values.get("rows_per_s", 0)
        stride = 2654435761 % self.tables
        while self.tables > 1 and math.gcd(stride, self.tables) != 1:
            stride = (stride + 1) % self.tables
        self.inverse = pow(stride, -1, self.tables) if self.tables > 1 else 0

    def ts(self, table_id, seq):
        """The ts of a table's change number seq."""
        round_ = seq - 1
        shift = mix(self.seed ^ mix(round_)) % self.tables
        place = (table_id - 1 - shift) * self.inverse % self.tables
        return round_ * self.tables + place + 1

    def first_after(self, table_id, ts):
        """Number of the first change of the table after ts."""
        seq = max(ts - 1, 0) // self.tables + 1
        while self.ts(table_id, seq) <= ts:
            seq += 1
        return seq

    def op(self, seq):
        return (seq - 1) // self.keys % 3

    def id(self, seq):
        return (seq - 1) % self.keys


class Judge:
    def __init__(self, source, start):
        self.source, self.start = source, start
        self.next, self.placement, self.last = {}, {}, {}
        self.rows = self.claims = self.refused = 0
        self.wrong = {"lost": 0, "twice": 0, "strange": 0, "stale": 0}
        self.first_wrong = None

    def blame(self, what, text, count=1):
        self.wrong[what] += count
        self.first_wrong = self.first_wrong or text

    def row(self, table, ts, seq, id_, op, placement):
        self.rows += 1
        if op == DELETE:
            seq += self.source.keys  # the sink saw the row as it was before
        wanted = self.next.get(table)
        if wanted is None:
            wanted = self.source.first_after(table, self.start)
        if placement != self.placement.get(table):
            self.blame("stale", f"table {table} seq {seq}: written as {placement}, owned as {self.placement.get(table)}")
        if seq < wanted:
            self.blame("twice", f"table {table} seq {seq}: came again or too late, {wanted} was next")
            return
        if seq > wanted:
            self.blame("lost", f"table {table}: seq {wanted} to {seq - 1} are missing", seq - wanted)
        if (ts, id_, op) != (self.source.ts(table, seq), self.source.id(seq), self.source.op(seq)):
            self.blame("strange", f"table {table} seq {seq}: not what the source wrote")
        self.next[table] = seq + 1
        self.last[table] = ts

    def claim(self, table, placement):
        self.claims += 1
        if placement < self.placement.get(table, (0, 0)):
            self.blame("stale", f"table {table}: placement {placement} after {self.placement[table]}")
        self.placement[table] = placement

    def end(self, checkpoint):
        if self.source.rate == 0:
            return
        for table in range(1, self.source.tables + 1):
            wanted = self.next.get(table) or self.source.first_after(table, self.start)
            missing = 0
            while self.source.ts(table, wanted + missing) <= min(checkpoint, self.source.limit):
                missing += 1
            if missing:
                self.blame("lost", f"table {table}: seq {wanted} to {wanted + missing - 1} are missing at the end", missing)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--source", required=True, help="URI of the gen:// source")
    parser.add_argument("--dir", required=True, help="directory of the check:// sink")
    parser.add_argument("--start", type=int, required=True, help="start ts of the feed")
    parser.add_argument("--checkpoint", type=int, required=True, help="everything up to it must be there")
    args = parser.parse_args()
    try:
        judge = Judge(Source(args.source), args.start)
        with open(os.path.join(args.dir, "state"), "rb") as state:
            magic, _, _, count, _, _ = HEADER.unpack(state.read(HEADER.size))
        if magic != MAGIC:
            raise ValueError("the directory is not one of a check:// sink")
        log = open(os.path.join(args.dir, "log"), "rb")
    except (OSError, ValueError, struct.error) as error:
        print(f"gen_check: {error}", file=sys.stderr)
        return 2
    with log:
        while count > 0:
            chunk = log.read(RECORD.size * min(count, 65536))
            if not chunk or len(chunk) % RECORD.size:
                print("gen_check: the log is shorter than its state says", file=sys.stderr)
                return 2
            count -= len(chunk) // RECORD.size
            for kind, op, table, ts, seq, id_, epoch, placement_seq, _, _ in RECORD.iter_unpack(chunk):
                if kind == ROW:
                    judge.row(table, ts, seq, id_, op, (epoch, placement_seq))
                elif kind == CLAIM:
                    judge.claim(table, (epoch, placement_seq))
                else:
                    judge.refused += 1
    judge.end(args.checkpoint)
    result = {"rows": judge.rows, "tables": len(judge.last), "claims": judge.claims, "refused": judge.refused,
              "last_ts": max(judge.last.values(), default=0), **judge.wrong}
    if judge.first_wrong:
        result["first_wrong"] = judge.first_wrong
    print(json.dumps(result))
    return 1 if judge.first_wrong else 0


if __name__ == "__main__":
    sys.exit(main())
