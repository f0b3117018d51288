#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Schema changes of a source reach the sink in order, once, while the tables live on different nodes and one is drained:
# in the end both databases look the same, definition by definition and row by row.
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
# shellcheck source=tests/support/images.sh
source tests/support/images.sh

end() {
    local status=$?
    nodes_stop_all || status=1
    mariadb_stop_all
    if ((status == 0)); then rm -rf "$work"; else echo "test: logs are in $work/logs" >&2; fi
    exit "$status"
}
trap end EXIT

sql() { mariadb_sql source "$@"; }

mariadb_start source "$(mariadb_free_port)" "${MARIADB_SOURCE_OPTIONS[@]}"
mariadb_start sink "$(mariadb_free_port)"
source_port=$(sed -n 's/^port=//p' "$work/source/my.cnf")
sink_port=$(sed -n 's/^port=//p' "$work/sink/my.cnf")
for name in n1 n2 n3; do start_node "$name" --lease-ttl 60s; done
await_nodes n1 n2 n3
feed=ddl
sluice feed create ddl --source "mysql://root@127.0.0.1:$source_port/" --sink "mysql://root@127.0.0.1:$sink_port/" --filter 'd.*'

sql -e "create database d character set latin1; create database other; create table other.t (id int primary key)"
sql d -e "create table a (id int primary key, v varchar(20)); create table b like a; create table c (id int primary key auto_increment, n int)"
sql d -e "insert into a values (1, 'one'), (2, 'two'); insert into b values (1, 'eins'); insert into c (n) values (10), (20); insert into other.t values (1)"
equal d "a database and tables are made"

sql d -e "alter table a add column w int not null default 7; insert into a values (3, 'three', 8); update a set w = 9 where id = 1;
    alter table a drop column v, add column x date; insert into a values (4, 10, '2026-01-02')"
sql d -e "create index by_n on c (n); insert into c (n) values (30); alter table c add unique key (n, id); drop index by_n on c"
equal d "columns and indexes"

sql d -e "insert into b values (2, 'zwei'); truncate table b; insert into b values (3, 'drei')"
equal d "a table is emptied between its rows"

sql d -e "insert into b values (4, 'vier'); rename table b to bb; insert into bb values (5, 'fuenf')"
sql d -e "create table l (id int primary key, v int); create table r (id int primary key, t text); insert into l values (1, 1);
    insert into r values (1, 'r'); rename table l to tmp, r to l, tmp to r; insert into r values (2, 2); insert into l values (2, 'l')"
equal d "tables are renamed, and swap their names"

target=$(other_node)
sluice node drain "$target" --reason "in the middle of schema changes" >"$work/logs/drain" 2>&1 &
drain=$!
for i in $(seq 1 10); do
    sql d -e "insert into a (id, w) values (100 + $i, $i); alter table a add column y$i int default $i;
        create table m$i (id int primary key); insert into m$i values ($i); insert into c (n) values (100 + $i)"
done
wait "$drain" || { cat "$work/logs/drain" >&2; fail "the drain failed"; }
equal d "schema changes while $target is drained"
restart_node "$target" --lease-ttl 60s

sql d -e "drop table c; create table c (id int primary key, other varchar(5)); insert into c values (1, 'new')"
sql d -e "create table s (primary key (id)) select * from a where id > 2; insert into s (id, w) values (500, 1)"
equal d "dropped and made again; made of a query"
sql d -e "create or replace table bb (id int primary key, z int); insert into bb values (1, 1); drop table m1, m2; drop table other.t"
equal d "replaced; two dropped at once"

sql -e "drop database d"
equal d "the database is dropped"
sql -e "create database d; create table d.a (id int primary key); insert into d.a values (1)"
equal d "and made again"

# Nobody is left in front of a change: the feed comes to where the source is now.
head=$(sql -e "show master status" | awk '{ split($1, name, "."); printf "%d", name[2] * 4294967296 + $2 - 1 }')
checkpoint_is_there() { (($(curl -sfL "${SLUICE_SERVER%%,*}/api/v2/changefeeds/ddl" | python3 -c 'import json, sys; print(json.load(sys.stdin)["checkpoint_ts"])') >= head)); }
until_true 60 "the checkpoint at the head of the source" checkpoint_is_there

[[ $(mariadb_sql sink -e "select count(*) from information_schema.schemata where schema_name = 'other'") == 0 ]] ||
    fail "a database that no rule wants was made"
[[ $(mariadb_sql sink -e "select count(*) from sluice.ddl where state <> 'done'") == 0 ]] || fail "a change was not finished"
