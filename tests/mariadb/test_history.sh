#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The schema changes while nobody replicates: what comes later reads the log with the names and columns of then, whether the
# feed was paused or all nodes were dead.
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

pair_of_databases
start_both() { for name in n1 n2; do start_node "$name" --lease-ttl 10s; done; }
kill_both() {
    for name in n1 n2; do
        kill -9 "${node_pid[$name]}"
        wait "${node_pid[$name]}" 2>/dev/null || true
    done
}
start_both
await_nodes n1 n2
sluice feed create past --source "mysql://root@127.0.0.1:$source_port/" --sink "mysql://root@127.0.0.1:$sink_port/" --filter 'd.*'
feed=past

make_tables() {
    sql -e "create database d"
    sql d -e "create table cols (id int primary key, gone varchar(20), g int as (id * 2) stored, name varchar(10) character set latin1);
        create table old_name (id int primary key, v int); create table twice (id int primary key, v varchar(10));
        create table l (id int primary key, v int); create table r (id int primary key, v text); create table dropped (id int primary key);
        insert into cols (id, gone, name) values (1, 'one', 'eins'); insert into old_name values (1, 1); insert into twice values (1, 'a');
        insert into l values (1, 1); insert into r values (1, 'r'); insert into dropped values (1)"
}

# Rows before, between and behind the changes, of each kind.
change_everything() {
    sql d -e "insert into cols (id, gone, name) values (2, 'two', 'zwei'); alter table cols add column n int default 5, drop column g;
        insert into cols values (3, 'three', 'drei', 6); alter table cols drop column gone; insert into cols values (4, 'vier', 7);
        alter table cols change name title varchar(30) character set latin1; update cols set title = concat(title, '!') where id < 3;
        alter table cols add column gone int as (id + n) virtual first; insert into cols (id, title, n) values (5, 'fuenf', 8)"
    sql d -e "insert into old_name values (2, 2); update old_name set v = 10 where id = 1; rename table old_name to new_name;
        insert into new_name values (3, 3); delete from new_name where id = 2"
    sql d -e "insert into twice values (2, 'b'); drop table twice; create table twice (id int primary key, other datetime, z int);
        insert into twice values (7, '2026-02-03 04:05:06', 1)"
    sql d -e "insert into l values (2, 2); rename table l to tmp, r to l, tmp to r; insert into l values (2, 'two'); insert into r values (3, 3)"
    sql d -e "insert into dropped values (2); drop table dropped; create table fresh (id int primary key); insert into fresh values (1);
        create table short (id int primary key); insert into short values (1); drop table short"
    sql -e "create database other; create table other.t (id int primary key); drop database other"
}

make_tables
equal d "tables before"
sluice feed pause past
change_everything
sluice feed resume past
equal d "changed while the feed was paused"

sql -e "drop database d"
make_tables
equal d "tables again"
sluice feed pause past
change_everything
kill_both
sql d -e "insert into new_name values (30, 30); alter table fresh add column w int default 1; insert into fresh values (2, 2)"
start_both
until_true 60 "a coordinator" has_coordinator
sluice feed resume past
equal d "paused, and all nodes killed before it went on"

sql -e "drop database d"
make_tables
equal d "tables once more"
kill_both
change_everything
start_both
until_true 60 "a coordinator" has_coordinator
equal d "all nodes killed before the changes"

sql -e "insert into d.fresh values (100); drop database d; create database d; create table d.fresh (id varchar(9) primary key);
    insert into d.fresh values ('x')"
equal d "and it goes on"
