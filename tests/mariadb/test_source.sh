#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The log reader: positions, rotation, restarts, compression, filters, and what it refuses with which remedy.
set -euo pipefail
cd "$(dirname "$0")/../.."
SL_MARIADB_DIR=$(mktemp -d)
# shellcheck source=tests/support/mariadb.sh
source tests/support/mariadb.sh
trap 'mariadb_stop_all; rm -rf "$SL_MARIADB_DIR"' EXIT
read_source=$SL_BUILD_DIR/tests/read_source

port=$(mariadb_free_port)
mariadb_start source "$port" "${MARIADB_SOURCE_OPTIONS[@]}"
uri="mysql://root@127.0.0.1:$port/"
head() { "$read_source" "$uri" head; }
from() { "$read_source" "$uri" from "$@" | cut -f 2-; }
sql() { mariadb_sql source "$@"; }

expect() { # WANTED < GOT
    diff <(printf '%s\n' "$@") - || { echo "test: not what was expected" >&2; exit 1; }
}
refused() { # TEXT ARGS...: read_source fails and says so
    local text=$1
    shift
    if "$read_source" "$uri" from "$@" >"$SL_MARIADB_DIR/out" 2>&1; then
        echo "test: not refused: $text" >&2
        exit 1
    fi
    grep -qF -- "$text" "$SL_MARIADB_DIR/out" || { cat "$SL_MARIADB_DIR/out" >&2; exit 1; }
}

sql -e 'create database d; create table d.a (id int primary key, v varchar(20)); create table d.b like d.a'

echo "== from now: what comes later, nothing that was before"
sql -e "insert into d.a values (1, 'before')"
now=$(head)
sql -e "insert into d.a values (2, 'two'); update d.a set v='zwei' where id=2; delete from d.a where id=1"
from "$now" | expect $'insert\td.a\t2\ttwo' $'update\td.a\t2\ttwo\t|\t2\tzwei' $'delete\td.a\t1\tbefore'

echo "== from a transaction: it is done, the next one comes"
first=$("$read_source" "$uri" from "$now" | cut -f 1 | sed -n 1p)
from "$first" | expect $'update\td.a\t2\ttwo\t|\t2\tzwei' $'delete\td.a\t1\tbefore'

echo "== over rotations, a restart, and compressed events"
sql -e "flush binary logs; insert into d.a values (3, 'three'); flush binary logs; insert into d.b values (1, 'b')"
mariadb_stop source
mariadb_run source
sql -e "set global log_bin_compress=1, global log_bin_compress_min_len=10"
sql -e "insert into d.a values (4, repeat('x', 20))"
sql -e "set global log_bin_compress=0"
from "$now" | tail -n 3 | expect $'insert\td.a\t3\tthree' $'insert\td.b\t1\tb' $'insert\td.a\t4\txxxxxxxxxxxxxxxxxxxx'

echo "== a transaction is one ts, a rolled back one is none"
now=$(head)
sql -e "begin; insert into d.a values (5, 'x'); savepoint s; insert into d.a values (6, 'x'); rollback to s; insert into d.b values (2, 'x'); commit; begin; insert into d.a values (7, 'no'); rollback"
[[ $("$read_source" "$uri" from "$now" | cut -f 1 | sort -u | wc -l) == 1 ]]
from "$now" | expect $'insert\td.a\t5\tx' $'insert\td.b\t2\tx'

echo "== rows that the log has, and takes back later: the transaction made a temporary table, or changed one without transactions"
now=$(head)
sql d -e "create table m (id int primary key) engine=myisam"
sql d -e "begin; insert into a values (100, 'no'); create temporary table x (id int); rollback; insert into a values (101, 'yes')"
sql d -e "begin; insert into a values (102, 'yes'); savepoint s; insert into m values (1); insert into a values (103, 'no');
    savepoint t; insert into b values (103, 'no'); rollback to T; insert into b values (104, 'no'); rollback to s; insert into b values (105, 'yes');
    savepoint s; insert into a values (106, 'no'); insert into m values (2); rollback to s; rollback to s; insert into a values (107, 'yes'); commit"
from "$now" '{"filter":{"rules":["d.a","d.b"]}}' |
    expect $'insert\td.a\t101\tyes' $'insert\td.a\t102\tyes' $'insert\td.b\t105\tyes' $'insert\td.a\t107\tyes'
sql d -e "drop table m"

echo "== schema changes come as they were written"
now=$(head)
sql d -e "alter table a add w int default 3; insert into a values (8, 'w', 9)"
from "$now" | expect $'ddl\td\talter table a add w int default 3' $'insert\td.a\t8\tw\t9'

now=$(head)
sql d -e "create table chosen (primary key (id)) select 5 as id union select 6" # one transaction: the rows come behind the table
from "$now" | grep -P '^(ddl|insert)\t' | sed 's/CREATE.*/made/' | expect $'ddl\td\tmade' $'insert\td.chosen\t5' $'insert\td.chosen\t6'
made=$("$read_source" "$uri" from "$now" | awk '$2 == "ddl" { print $1 }')
from "$made" | expect $'insert\td.chosen\t5' $'insert\td.chosen\t6'
[[ -z $(from "$((made + 1))") ]]
from "$now" "{\"filter\":{\"ignore-txn-start-ts\":[$made]}}" | expect $'insert\td.chosen\t5' $'insert\td.chosen\t6'
sql d -e "drop table chosen"

echo "== filter rules"
now=$(head)
sql -e "insert into d.a values (9, 'a', 1); insert into d.b values (9, 'b')"
from "$now" '{"filter":{"rules":["*.*","!d.a"]}}' | expect $'insert\td.b\t9\tb'
from "$now" '{"filter":{"rules":["D.[a-a]"]}}' | expect $'insert\td.a\t9\ta\t1'
from "$now" '{"case_sensitive":true,"filter":{"rules":["D.*","/^d$/./^b$/"]}}' | expect $'insert\td.b\t9\tb'
refused "filter rule 2 cannot be read" "$now" '{"filter":{"rules":["a.b","nodot"]}}'

echo "== the list of tables"
"$read_source" "$uri" list | cut -f 2- | sort | expect $'d\ta' $'d\tb'

echo "== the list of tables at a place before they changed"
sql -e "create table d.early (id int primary key); create table d.plain (id int primary key); create table d.twice (id int primary key)"
now=$(head)
sql d -e "insert into early values (1); rename table early to late; create table young (id int primary key); insert into young values (1);
    insert into twice values (1); drop table twice; create table twice (id int primary key, v int); drop table plain;
    create table short (id int primary key); drop table short; alter table a drop column w"
sql -e "create database e; create table e.t (id int primary key); insert into e.t values (1); drop database e"
"$read_source" "$uri" list | cut -f 2- | sort | expect $'d\ta' $'d\tb' $'d\tlate' $'d\ttwice' $'d\tyoung'
"$read_source" "$uri" list "$now" | cut -f 2- | sort | expect $'d\ta' $'d\tb' $'d\tearly' $'d\tplain' $'d\ttwice'
sql d -e "drop table late, young, twice; alter table a add w int"

echo "== a change of a table that the log does not tell, and one that is to be ignored"
now=$(head)
sql d -e "insert into b values (40, 'before'); set sql_log_bin=0; alter table b add column hidden int; set sql_log_bin=1; insert into b values (41, 'behind', 1)"
from "$now" | expect $'insert\td.b\t40\tbefore' $'insert\td.b\t41\tbehind\t1'
now=$(head)
sql d -e "insert into b values (42, 'x', 2); alter table b drop column hidden; insert into b values (43, 'y')"
ignored=$("$read_source" "$uri" from "$now" | awk '$2 == "ddl" { print $1 }')
from "$now" "{\"filter\":{\"ignore-txn-start-ts\":[$ignored]}}" | expect $'insert\td.b\t42\tx\t2' $'insert\td.b\t43\ty'

echo "== refusals name the setting"
now=$(head)
sql -e "set session binlog_format=STATEMENT; insert into d.b values (20, 'statement')"
refused "set binlog_format=ROW" "$now"
now=$(head)
sql -e "set session binlog_row_image=MINIMAL; update d.b set v='m' where id=20"
refused "binlog_row_image=FULL" "$now"
now=$(head)
sql -e "set global binlog_row_metadata=MINIMAL; insert into d.b values (21, 'm'); set global binlog_row_metadata=FULL"
refused "binlog_row_metadata=FULL" "$now"
sql -e "set global binlog_format=STATEMENT"
refused "the source has binlog_format=STATEMENT" "$now"
sql -e "set global binlog_format=ROW"
now=$(head)
sql d -e "set session binlog_format=MIXED; begin; insert into b values (22, left(uuid(), 8)); create temporary table x (id int);
    insert into b values (23, 'statement'); commit"
refused "set binlog_format=ROW" "$now"
now=$(head)
sql -e "xa start 'x'; insert into d.b values (30, 'xa'); xa end 'x'; xa prepare 'x'; xa commit 'x'"
refused "XA transaction" "$now"

echo "== a large transaction comes in parts, from each of which it can be gone on with exactly"
sql d -e "create table large (id int primary key, v varchar(1000)); create table m (id int primary key) engine=myisam"
now=$(head)
sql d -e "begin; insert into b values (1000, 'before'); savepoint s; insert into large select seq, repeat('x', 900) from seq_1_to_30000;
    update b set v = 'behind' where id = 1000; commit; insert into b values (1001, 'next')"
parts() { "$read_source" "$uri" from "$1" | cut -f 1-4; }
parts "$now" >"$SL_MARIADB_DIR/all"
cut -f 1 "$SL_MARIADB_DIR/all" | sort -un >"$SL_MARIADB_DIR/places"
[[ $(wc -l <"$SL_MARIADB_DIR/all") == 30003 && $(wc -l <"$SL_MARIADB_DIR/places") == 8 ]] # 27 MB in sevenths, and the next transaction
while read -r place; do
    awk -v place="$place" '$1 > place' "$SL_MARIADB_DIR/all" | cmp - <(parts "$place")
done <"$SL_MARIADB_DIR/places"

echo "== one that is rolled back is none, however large; what it took back of a savepoint is held until then, up to a limit"
now=$(head)
sql d -e "begin; create temporary table x (id int); insert into large select 100000 + seq, repeat('x', 900) from seq_1_to_30000; rollback;
    insert into b values (1002, 'next')"
parts "$now" | cut -f 2- | expect $'insert\td.b\t1002'
now=$(head)
sql d -e "begin; insert into m values (10); insert into large select 100000 + seq, repeat('x', 900) from seq_1_to_20000; savepoint s;
    insert into large select 200000 + seq, repeat('x', 900) from seq_1_to_9000; insert into m values (11); rollback to s; commit"
[[ $("$read_source" "$uri" count "$now" '{"filter":{"rules":["d.large"]}}' | cut -d' ' -f1) == 20000 ]]
small=$uri uri="${uri}?max-transaction-mib=20"
refused "max-transaction-mib" "$now"
uri=$small
now=$(head)
sql d -e "create table copied (primary key (id)) select * from large where id <= 30000" # one group with the statement
[[ $("$read_source" "$uri" from "$now" | grep -P "^[0-9]+\t" | cut -f 1 | sort -u | wc -l) == 8 && $("$read_source" "$uri" count "$now" | cut -d' ' -f1) == 30000 ]]

echo "== a purged log"
now=4294967300
sql -e "flush binary logs; flush binary logs"
last=$(sql -e "show master status" | cut -f 1)
sql -e "purge binary logs to '$last'"
refused "the source has no log file number 1 any more" "$now"

echo "== wrong password and no server: the password is not shown"
uri="mysql://root:c4nary@127.0.0.1:$port/"
refused "Access denied" "$now"
uri="mysql://root:c4nary@127.0.0.1:1/"
refused "DATABASE_UNREACHABLE" "$now"
uri="mysql://root:c4nary@127.0.0.1:1/?colour=c4nary"
refused "parameter 'colour'" "$now"
if grep -q c4nary "$SL_MARIADB_DIR/out"; then
    echo "test: a password was printed" >&2
    exit 1
fi
