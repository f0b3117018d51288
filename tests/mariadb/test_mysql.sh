#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# At a server that speaks as MySQL 8.4 does (fake_mysql.py): compressed transactions, JSON, parts, refusals, JSON at the sink.
set -euo pipefail
cd "$(dirname "$0")/../.."
SL_MARIADB_DIR=$(mktemp -d)
# shellcheck source=tests/support/mariadb.sh
source tests/support/mariadb.sh
servers=()
trap 'kill "${servers[@]}" 2>/dev/null || true; mariadb_stop_all; rm -rf "$SL_MARIADB_DIR"' EXIT
read_source=$SL_BUILD_DIR/tests/read_source

fake() { # NAME WORD...: sets uri
    local name=$1 tries=0
    shift
    tests/mariadb/fake_mysql.py "$@" >"$SL_MARIADB_DIR/$name.port" &
    servers+=($!)
    until [[ -s $SL_MARIADB_DIR/$name.port ]]; do
        tries=$((tries + 1))
        ((tries < 600)) || { echo "test: the fake server did not start" >&2; exit 1; }
        sleep 0.1
    done
    uri="mysql://repl:secret@127.0.0.1:$(cat "$SL_MARIADB_DIR/$name.port")/"
}
expect() { # WANTED < GOT
    diff <(printf '%s\n' "$@") - || { echo "test: not what was expected" >&2; exit 1; }
}
refused() { # TEXT WORD...: read_source fails and says so
    if "$read_source" "$uri" "${@:2}" >"$SL_MARIADB_DIR/out" 2>"$SL_MARIADB_DIR/err"; then
        echo "test: not refused: $1" >&2
        exit 1
    fi
    grep -qF -- "$1" "$SL_MARIADB_DIR/err" || { cat "$SL_MARIADB_DIR/err" >&2; exit 1; }
}
rows() { "$read_source" "$uri" from "$@" | cut -c -200; }

log=$SL_MARIADB_DIR/log
"$SL_BUILD_DIR/tests/write_mysql_log" "$log"
start=$(((1 << 32) + 3)) # in front of the first event of file 1
fake plain "$log"

echo "== the end of the log, by the name that MySQL has for it"
"$read_source" "$uri" head | expect $(((1 << 32) + $(stat -c %s "$log") - 1))

echo "== rows of compressed and plain transactions, with JSON as the server spells it"
one='{"a": 1, "b": [true, null], "d": 1.0, "s": "grün \"\n", "t": "2015-01-15 23:24:25.000000", "n": 23.34}'
two='[70000, "x"]'
rows "$start" | cut -f 2- | awk -F '\t' '$3 < 1000' |
    expect $'insert\td.t\t1\t'"$one"$'\teins' $'insert\td.t\t2\t'"$two"$'\tzwei' $'insert\td.t\t3\tNULL\tNULL' \
        $'insert\td.t\t4\t'"$two"$'\tNULL'

echo "== a large one comes in parts, and goes on behind any of them"
mapfile -t parts < <(rows "$start" | awk -F '\t' '$4 > 1000 && $4 < 2000 { print $1 }' | uniq)
((${#parts[@]} == 6))
for i in 0 2 5; do
    rows "${parts[i]}" | awk -F '\t' '$4 > 1000 && $4 < 2000 { print $4 }' >"$SL_MARIADB_DIR/rest"
    rows "$start" | awk -F '\t' -v ts="${parts[i]}" '$1 > ts && $4 > 1000 && $4 < 2000 { print $4 }' | cmp - "$SL_MARIADB_DIR/rest"
done

echo "== one that compresses to nothing has one place"
rows "$start" | awk -F '\t' '$4 > 2000 { print $1 }' | uniq -c | awk '{ print $1 }' | expect 6
last=$(rows "$start" | awk -F '\t' '$4 > 2000 { print $1 }' | tail -n 1)
rows "$last" | cut -f 4 | expect 4

echo "== a database as the sink has what the source had"
port=$(mariadb_free_port)
mariadb_start sink "$port"
mariadb_sql sink -e 'create database d; create table d.t (id int primary key, j json, v longtext) charset utf8mb4'
"$read_source" "$uri" apply "$start" "mysql://root@127.0.0.1:$port/"
mariadb_sql sink --raw -e 'select id, j from d.t where id < 1000 order by id' | expect $'1\t'"$one" $'2\t'"$two" $'3\tNULL' $'4\t'"$two"
mariadb_sql sink -e 'select count(*), sum(length(v)), sum(json_valid(j)) from d.t' | expect $'34\t31457288\t3'

echo "== a column of the type JSON at a sink of MySQL is given text with a charset"
source_uri=$uri
fake sink - "$SL_MARIADB_DIR/statements"
if "$read_source" "$source_uri" apply "$start" "$uri" >"$SL_MARIADB_DIR/out" 2>&1; then
    echo "test: a sink that refuses every statement was written to" >&2
    exit 1
fi
# shellcheck disable=SC2016 # names of SQL
head -n 1 "$SL_MARIADB_DIR/statements" | expect 'REPLACE INTO `d`.`t` (`id`, `j`, `v`) VALUES (?, CONVERT(? USING utf8mb4), ?)'

echo "== what cannot be read is refused with the setting to change"
"$SL_BUILD_DIR/tests/write_mysql_log" "$log.partial" partial
fake partial "$log.partial"
refused "binlog_row_value_options=''" from "$start"
fake setting "$log" binlog_row_value_options=PARTIAL_JSON binlog_row_metadata=MINIMAL
for words in "from $start" list; do
    # shellcheck disable=SC2086 # words
    refused "SET GLOBAL binlog_row_metadata=FULL, binlog_row_value_options=''" $words
done
fake damaged <(head -c -40 "$log"; printf '%040d' 0)
refused "checksum" from "$start"
