#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A schema change that cannot be replicated: the feed fails in front of it and says what to do, no row is lost when it goes on
# without it, and other feeds do not notice.
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
sink() { mariadb_sql sink "$@"; }
state() { sluice feed list | awk -v name="$1" '$1 == name { print $2 }'; }
is_failed() { [[ $(state first) == failed ]]; }
goes_on_without() { sluice feed resume first --skip-ddl "$(cat "$work/ts")" >"$work/resumed" 2>&1; } # refused while it is still being stopped
fails_at() { # WHAT: the feed has failed and names it; prints the ts to skip
    until_true 60 "the feed failing" is_failed
    sluice feed show first >"$work/shown"
    grep -q -- "$1" "$work/shown" || { cat "$work/shown" >&2; fail "the error does not name $1"; }
    grep -q -- "--skip-ddl" "$work/shown" || { cat "$work/shown" >&2; fail "the error names no way out"; }
    grep -o 'ts [0-9]*' "$work/shown" | head -n 1 | cut -d ' ' -f 2 >"$work/ts"
}

pair_of_databases
for name in n1 n2; do start_node "$name" --lease-ttl 60s; done
await_nodes n1 n2
uris=(--source "mysql://root@127.0.0.1:$source_port/" --sink "mysql://root@127.0.0.1:$sink_port/")
sluice feed create first "${uris[@]}" --filter 'd.*'
sluice feed create second "${uris[@]}" --filter 'e.*'
feed=first
sql -e "create database d; create database e; create database other"
sql d -e "create table a (id int primary key, v int); create table b (id int primary key); insert into a values (1, 1); insert into b values (1)"
sql e -e "create table t (id int primary key); insert into t values (1)"
equal d "tables"

# What would be left of it for the tables that are wanted is another statement.
sql d -e "insert into a values (2, 2); create table other.x (id int primary key)"
sql -e "drop table d.b, other.x; insert into d.a values (3, 3); insert into e.t values (2)"
fails_at "drop table"
[[ $(sink -e "select count(*) from d.a") == 2 ]] || fail "rows went on behind the change"
[[ $(state second) == normal ]] || fail "the other feed is $(state second)"
equal e "the other feed goes on"
sink -e "drop table d.b"
until_true 60 "the feed being resumed" goes_on_without
equal d "skipped: nothing is missing"

# The sink refuses it: its table is not what the source believes.
sink -e "alter table d.a add column w int"
sql d -e "insert into a values (4, 4); alter table a add column w int; insert into a values (5, 5, 5); insert into e.t values (3)"
fails_at "alter table"
equal e "the other feed goes on again"
[[ $(state second) == normal ]] || fail "the other feed is $(state second)"
until_true 60 "the feed being resumed" goes_on_without
equal d "skipped again: the table is as the source wants it"
[[ $(state first) == normal ]] || fail "the feed is $(state first)"
