#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Feeds that start with the rows that are there: while they are copied the source is written, a node is killed and another
# drained, and tables are redefined. In the end source and sink are the same, definition by definition and row by row.
set -euo pipefail
cd "$(dirname "$0")/../.."
bin=$SL_BUILD_DIR/bin
work=$(mktemp -d)
mkdir -p "$work/logs"
SL_MARIADB_DIR=$work
# shellcheck source=tests/support/mariadb.sh
source tests/support/mariadb.sh
# shellcheck source=tests/support/nodes.sh
source tests/support/nodes.sh
load_pid=

end() {
    local status=$?
    [[ -z $load_pid ]] || kill "$load_pid" 2>/dev/null || true
    nodes_stop_all || status=1
    mariadb_stop_all
    if ((status == 0)); then rm -rf "$work"; else echo "test: logs are in $work/logs" >&2; fi
    exit "$status"
}
trap end EXIT

sql() { mariadb_sql source "$@"; }
rows=${ROWS:-120000}

image() { # SERVER SCHEMA
    local table
    for table in $(mariadb_sql "$1" -e "select table_name from information_schema.tables where table_schema = '$2' order by 1"); do
        mariadb_sql "$1" "$2" -e "show create table \`$table\`" | sed 's/ AUTO_INCREMENT=[0-9]*//'
        mariadb_sql "$1" "$2" -e "checksum table \`$table\`; select count(*) from \`$table\`"
    done
}
is_equal() { diff <(image source "$1" 2>/dev/null) <(image sink "$1" 2>/dev/null) >"$work/diff" 2>&1; }
equal() { # SCHEMA WHAT
    local deadline=$((SECONDS + 120))
    until is_equal "$1"; do
        if ((SECONDS > deadline)); then
            head -50 "$work/diff" >&2
            sluice feed list >&2 || true
            mariadb_sql sink -e "select table_name, state, chunk, rows_done, rows_about from sluice.copy" >&2 || true
            fail "$2: source and sink differ"
        fi
        sleep 0.2
    done
    echo "== equal: $2"
}
copies() { mariadb_sql sink -e "select count(*) from sluice.copy where $1" 2>/dev/null || echo 0; }
some_copies() { (($(copies "$1") > 0)); }
no_copies() { (($(copies "$1") == 0)); }

# Changes of all kinds, over all of the table, until the file is gone.
load() { # FILE
    local i=0
    while [[ -e $1 ]]; do
        i=$((i + 1))
        sql s -e "start transaction; update a set v = concat(v, '+'), u = -id where id % 1009 = $((i * 7 % 1009)); delete from a where id % 1013 = $((i * 11 % 1013)); commit;
            insert into a (id, v, u) select seq * 3 + 1 + 1000000 * ($i % 5), uuid(), null from seq_1_to_500 on duplicate key update v = values(v);
            update b set n = n + 1 where k2 % 97 = $((i % 97)); replace into b values ('neu$i', $i, 1); delete from c where id < $i" ||
            return 1
    done
}

mariadb_start source "$(mariadb_free_port)" "${MARIADB_SOURCE_OPTIONS[@]}"
mariadb_start sink "$(mariadb_free_port)"
source_port=$(sed -n 's/^port=//p' "$work/source/my.cnf")
sink_port=$(sed -n 's/^port=//p' "$work/sink/my.cnf")
create() { # NAME SCHEMA
    sluice feed create "$1" --source "mysql://root@127.0.0.1:$source_port/" --sink "mysql://root@127.0.0.1:$sink_port/" \
        --start snapshot --filter "$2.*"
}

sql -e "create database s character set latin1; create database r; create database q; create database x; create database y"
sql s -e "create table a (id int primary key auto_increment, v varchar(200) not null, u int, unique key (u), key (v)) default charset utf8mb4;
    create table b (k1 varchar(20) collate latin1_german1_ci, k2 int unsigned, n bigint, primary key (k1, k2));
    create table c (id decimal(30,10) primary key, x double, y float); create table d (id uuid primary key, t timestamp(3) not null);
    create table e (id int primary key); create table f (d datetime(2), i inet6, primary key (d, i)) partition by key (d) partitions 3;
    create table g (id binary(5) primary key, big longblob)"
sql s -e "insert into a (id, v, u) select seq, concat('row ', seq, repeat('x', seq % 90)), seq from seq_1_to_$rows;
    insert into b select concat('k\"\\'ü', seq % 300), seq, seq from seq_1_to_20000; insert into c select seq / 7, seq / 3, seq / 11 from seq_1_to_9000;
    insert into d select uuid(), from_unixtime(1 + seq * 1000.125) from seq_1_to_9000;
    insert into f select '2020-01-01 00:00:00.5' + interval seq second, concat('::', seq % 100) from seq_1_to_9000;
    insert into g select concat(char(seq using binary), 'b'), repeat('big', seq * 20000) from seq_0_to_40; insert into g values ('\0', null)"
for table in a b c; do
    sql r -e "create table $table (id int primary key, v char(100)); insert into $table select seq, repeat(uuid(), 2) from seq_1_to_$((rows / 2))"
done
sql q -e "create table a like r.a; insert into a select * from r.a; create table b (id int primary key); insert into b select seq from seq_1_to_5000;
    create table z (id int primary key); insert into z values (1), (2)"
sql -e "create table x.t (id int primary key); create table y.t (id int); insert into x.t values (1); insert into y.t values (1)"
mariadb_sql sink -e "create database x; create table x.t (id int primary key); insert into x.t values (7)"
{
    echo "set sql_mode=''; set time_zone='+00:00';"
    cat tests/mariadb/types.sql
} | sql --default-character-set=utf8mb4

for name in n1 n2 n3; do start_node "$name" --lease-ttl 20s; done
await_nodes n1 n2 n3

touch "$work/load"
load "$work/load" 2>"$work/logs/load" &
load_pid=$!
create s s
until_true 60 "a copy that has begun" some_copies "state in ('begun', 'done') and table_name = 'a'"
target=$(other_node)
sluice node drain "$target" --reason "in the middle of a copy" >"$work/logs/drain" 2>&1 || {
    tail -n 5 "$work/logs/drain" >&2
    fail "the drain failed"
}
echo "== $target drained"
until_true 120 "all tables copied" no_copies "state <> 'done'"
rm "$work/load"
wait "$load_pid" || {
    cat "$work/logs/load" >&2
    fail "the load"
}
load_pid=
equal s "a copy under load, with a drain"
restart_node "$target" --lease-ttl 20s
until_true 60 "three nodes" nodes_alive 3

create t t
equal t "every type"

# The definition changes in front of the last chunk.
create q q
until_true 60 "a copy that has begun" some_copies "state in ('begun', 'done') and schema_name = 'q' and table_name = 'a'"
sql q -e "alter table a add column w int not null default 7; insert into a values (9999999, 'new', 8); update a set v = id where id % 100 = 0;
    drop table b; create table b (id int primary key, other text); insert into b values (1, 'second life'); truncate table z; insert into z values (3);
    create table n (id int primary key); insert into n values (1)"
equal q "tables are redefined, dropped and made while they are copied"

mariadb_sql sink s -e "delete from a where id % 3 = 0; update a set v = 'wrong' where id % 3 = 1; insert into a (v) values ('surplus');
    alter table c add column surplus int"
sluice feed resync s --table s.a
sluice feed resync s --table s.c
sql s -e "insert into a (v) values ('while'); update b set n = n + 1; insert into c values (-1, 1, 1)"
equal s "tables that were copied afresh"
sluice feed resync s --table s.none 2>"$work/logs/none" && fail "a table that there is not was copied again"
grep -q COPY_NO_TABLE "$work/logs/none" || grep -q "no such table" "$work/logs/none" || fail "no reason given: $(cat "$work/logs/none")"

feed_says() { sluice feed show "$1" 2>/dev/null | grep -q "$2"; }
create x x
until_true 60 "a table with rows is refused" feed_says x "has rows at the sink"
[[ $(mariadb_sql sink -e "select id from x.t") == 7 ]] || fail "rows of the sink were overwritten"
create y y
until_true 60 "a table without a key is refused" feed_says y "has no primary key"
echo "== refused: a table with rows, a table without a key"

create r r
until_true 60 "copies that have begun" some_copies "state in ('begun', 'done') and schema_name = 'r'"
victim=$(other_node)
restart_node "$victim" --lease-ttl 20s
echo "== $victim killed"
sql r -e "update a set v = 'x' where id % 77 = 0; delete from b where id % 77 = 1; insert into c values (99999999, 'y')"
equal r "a copy whose node was killed"
