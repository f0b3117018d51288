#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compares what tools/read_files makes of a directory with what the source's own SQL says, row by row.

usage: compare_files.py SOCKET DIRECTORY SCHEMA...
"""

import importlib.machinery
import importlib.util
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NUMBERS = {"tinyint", "smallint", "mediumint", "int", "bigint", "year", "bit", "enum", "set"}
TEXTS = {"char", "varchar", "tinytext", "text", "mediumtext", "longtext"}
BYTES = {"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "geometry", "point"}


def load_reader():
    path = os.path.join(ROOT, "tools", "read_files")
    spec = importlib.util.spec_from_loader("read_files", importlib.machinery.SourceFileLoader("read_files", path))
    module = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode = True
    spec.loader.exec_module(module)
    return module


def ask(socket, sql):
    out = subprocess.run(
        ["mariadb", "--no-defaults", "-uroot", f"--socket={socket}", "--batch", "--skip-column-names",
         "--default-character-set=utf8mb4"],
        input=f"set time_zone='+00:00';{sql};", text=True, capture_output=True, check=True).stdout
    return [line.split("\t") for line in out.splitlines()]


def expression(name, kind):
    column = "`" + name.replace("`", "``") + "`"
    if kind in NUMBERS:
        inner = f"{column}+0"
    elif kind in ("float", "double"):
        inner = f"cast({column} as double)"
    elif kind in TEXTS:
        inner = f"hex(convert({column} using utf8mb4))"
    elif kind in BYTES:
        inner = f"hex({column})"
    else:
        inner = f"hex(concat({column}))"
    return f"ifnull({inner}, 'NULL')"


def value(text, kind):
    if text == "NULL":
        return None
    if kind in NUMBERS:
        return int(text)
    if kind in ("float", "double"):
        return float(text)
    return bytes.fromhex(text) if kind in BYTES else bytes.fromhex(text).decode()


def source_rows(socket, schema, table):
    columns = ask(socket, "select column_name, data_type from information_schema.columns "
                          f"where table_schema='{schema}' and table_name='{table}' order by ordinal_position")
    wanted = ", ".join(expression(name, kind) for name, kind in columns)
    lines = ask(socket, f"select {wanted} from `{schema}`.`{table}`")
    return [{name: value(text, kind) for (name, kind), text in zip(columns, line)} for line in lines]


def sort_key(row):
    return sorted((name, repr(v)) for name, v in row.items())


def main():
    socket, directory, schemas = sys.argv[1], sys.argv[2], sys.argv[3:]
    tables = load_reader().final_tables(directory)
    wrong = 0
    total = 0
    for schema in schemas:
        names = {line[0] for line in ask(socket, "select table_name from information_schema.tables "
                                                 f"where table_schema='{schema}'")}
        for extra in {table for s, table in tables.rows if s == schema} - names:
            print(f"{schema}.{extra} is in the files and not at the source")
            wrong += 1
        for table in sorted(names):
            here = sorted(source_rows(socket, schema, table), key=sort_key)
            there = sorted(tables.rows.get((schema, table), {}).values(), key=sort_key)
            total += len(here)
            if here != there:
                wrong += 1
                print(f"{schema}.{table}: {len(here)} rows at the source, {len(there)} in the files")
                for a, b in zip(here, there):
                    if a != b:
                        print(f"  source {a}\n  files  {b}")
                        break
    if wrong:
        sys.exit(1)
    c = tables.counts
    print(f"{directory}: {total} rows alike after {c['insert']} inserts, {c['update']} updates, {c['delete']} deletes, "
          f"{c['ddl']} schema changes, none of them twice")


if __name__ == "__main__":
    main()
