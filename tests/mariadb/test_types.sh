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

make_d() { # NAME
    mariadb_sql "$1" -e "create or replace database d; use d;
        create table d.one (id int unsigned primary key, v varchar(20));
        create table d.two (id bigint, w varchar(10), v int, primary key (id, w));
        create table d.many (id bigint primary key, a varchar(30), b double, c decimal(20,5), d blob)"
}
# Twice: with arrays of rows bound to one statement, and with statements of many rows, as for a server that has no arrays.
apply_all() { # NAME PARAMETERS
    local name=$1 sink=$1 uri_of_sink from_d log=$SL_MARIADB_DIR/$1/general.log
    mariadb_start "$name" "$(mariadb_free_port)" "general_log_file=$log"
    uri_of_sink="mysql://root@127.0.0.1:$(sed -n 's/^port=//p' "$SL_MARIADB_DIR/$name/my.cnf")/$2"

    echo "== $name: what it has"
    make_d "$name" # the log has its rows when it is read for the second time
    mariadb-dump --no-defaults -uroot --socket="$SL_MARIADB_DIR/source/sock" --no-data --databases t | mariadb_sql "$name"
    "$read_source" "$uri" apply "$from" "$uri_of_sink"
    for sink in source "$name"; do
        mariadb_sql "$sink" -e 'checksum table t.alltypes; select count(*) from t.alltypes' >"$SL_MARIADB_DIR/$sink.sum"
    done
    diff "$SL_MARIADB_DIR/source.sum" "$SL_MARIADB_DIR/$name.sum"
    [[ $(tail -n 1 "$SL_MARIADB_DIR/$name.sum") == 2 ]]

    echo "== $name: once more from the start: a replay changes nothing"
    "$read_source" "$uri" apply "$from" "$uri_of_sink"
    mariadb_sql "$name" -e 'checksum table t.alltypes; select count(*) from t.alltypes' | diff "$SL_MARIADB_DIR/source.sum" -

    echo "== $name: many rows, NULL among them, and many deletes, by keys of one and of two columns"
    make_d source
    make_d "$name"
    from_d=$("$read_source" "$uri" head)
    mariadb_sql "$name" -e 'set global general_log=1'
    mariadb_sql source -e "use d; insert into one select seq, 'x' from seq_1_to_2000;
        insert into two select seq, 'k', 1 from seq_1_to_1000;
        insert into many select cast(seq as signed) - 500, if(seq % 3, repeat('ä', seq % 15), null), if(seq % 5, seq / 7, null),
            if(seq % 2, seq * 1.5, null), if(seq % 7, repeat(char(seq % 256), seq % 300), null) from seq_1_to_3077"
    "$read_source" "$uri" apply "$from_d" "$uri_of_sink"
    mariadb_sql source -e "use d; delete from one where id % 3 = 0; delete from two where id % 2 = 0;
        delete from one where id = 4; update one set id = id + 100000 where id > 1000;
        update many set a = null where id % 11 = 0; delete from many where id % 13 = 0"
    "$read_source" "$uri" apply "$from_d" "$uri_of_sink"
    mariadb_sql "$name" -e 'set global general_log=0'
    [[ $(mariadb_sql "$name" -e 'select count(*) from d.one; select count(*) from d.two') == $'1333\n500' ]]
    diff <(mariadb_sql source -e 'checksum table d.one, d.two, d.many') \
        <(mariadb_sql "$name" -e 'checksum table d.one, d.two, d.many')
    # shellcheck disable=SC2016 # the names are quoted as SQL has them
    many_rows=$(grep -a -c 'Prepare.*REPLACE INTO `d`.`many`.*), (' "$log" || true)
    # shellcheck disable=SC2016
    many_keys=$(grep -a -c 'Prepare.*DELETE FROM `d`.`two` WHERE (.*) OR (' "$log" || true)
}
apply_all arrays ""
[[ $many_rows == 0 && $many_keys == 0 ]]
apply_all statements "?array-binding=false"
((many_rows > 0 && many_keys > 0))
