#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every column type: what the log reader gives is what the server itself says, and what the sink stores is the same.
set -euo pipefail
cd "$(dirname "$0")/../.."
SL_MARIADB_DIR=$(mktemp -d)
# shellcheck source=tests/support/mariadb.sh
source tests/support/mariadb.sh
trap 'mariadb_stop_all; rm -rf "$SL_MARIADB_DIR"' EXIT
read_source=$SL_BUILD_DIR/tests/read_source

source_port=$(mariadb_free_port)
mariadb_start source "$source_port" "${MARIADB_SOURCE_OPTIONS[@]}"
sink_port=$(mariadb_free_port)
mariadb_start sink "$sink_port"
uri="mysql://root@127.0.0.1:$source_port/"
from=$("$read_source" "$uri" head)

utf8=(--default-character-set=utf8mb4)
{
    echo "set sql_mode=''; set time_zone='+00:00';"
    cat tests/mariadb/types.sql
} | mariadb_sql source "${utf8[@]}"

echo "== what the reader says of the rows that are there at the end"
# latin1 columns come as the bytes that are stored: the comparison asks for the same.
{
    echo "set time_zone='+00:00', names latin1;"
    cat tests/mariadb/compare_types.sql
} | mariadb_sql source --raw t | grep -a $'^3\t' >"$SL_MARIADB_DIR/wanted"
"$read_source" "$uri" from "$from" | grep -a $'insert\tt.alltypes\t3\t' | cut -f 4- >"$SL_MARIADB_DIR/got"
# Texts of utf8mb4 columns differ in the client's charset only: row 3 has none beyond latin1.
diff "$SL_MARIADB_DIR/wanted" "$SL_MARIADB_DIR/got"

echo "== what the sink has"
mariadb-dump --no-defaults -uroot --socket="$SL_MARIADB_DIR/source/sock" --no-data --databases t | mariadb_sql sink
"$read_source" "$uri" apply "$from" "mysql://root@127.0.0.1:$sink_port/"
for name in source sink; do
    mariadb_sql "$name" -e 'checksum table t.alltypes; select count(*) from t.alltypes' >"$SL_MARIADB_DIR/$name.sum"
done
diff "$SL_MARIADB_DIR/source.sum" "$SL_MARIADB_DIR/sink.sum"
[[ $(tail -n 1 "$SL_MARIADB_DIR/sink.sum") == 2 ]]

echo "== once more from the start: a replay changes nothing"
"$read_source" "$uri" apply "$from" "mysql://root@127.0.0.1:$sink_port/"
mariadb_sql sink -e 'checksum table t.alltypes; select count(*) from t.alltypes' | diff "$SL_MARIADB_DIR/source.sum" -

echo "== many deletes, by keys of one and of two columns"
for name in source sink; do
    mariadb_sql "$name" -e "create database d; use d;
        create table d.one (id int unsigned primary key, v varchar(20));
        create table d.two (id bigint, w varchar(10), v int, primary key (id, w));
        insert into d.one select seq, 'x' from seq_1_to_2000;
        insert into d.two select seq, 'k', 1 from seq_1_to_1000"
done
from=$("$read_source" "$uri" head)
mariadb_sql source -e "delete from d.one where id % 3 = 0; delete from d.two where id % 2 = 0;
    delete from d.one where id = 4; update d.one set id = id + 100000 where id > 1000"
"$read_source" "$uri" apply "$from" "mysql://root@127.0.0.1:$sink_port/"
[[ $(mariadb_sql sink -e 'select count(*) from d.one; select count(*) from d.two') == $'1333\n500' ]]
diff <(mariadb_sql source -e 'checksum table d.one, d.two') <(mariadb_sql sink -e 'checksum table d.one, d.two')
