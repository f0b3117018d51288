#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A schema change takes much longer at the sink than an answer may take: the feed waits, stays normal, and performs it once;
# a node that takes over from one that was killed in the middle of it waits for the end of what that one began.
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
holder=

end() {
    local status=$?
    [[ -z $holder ]] || kill "$holder" 2>/dev/null || true
    nodes_stop_all || status=1
    mariadb_stop_all
    if ((status == 0)); then rm -rf "$work"; else echo "test: logs are in $work/logs" >&2; fi
    exit "$status"
}
trap end EXIT

sql() { mariadb_sql source "$@"; }
sink() { mariadb_sql sink "$@"; }

pair_of_databases
sink -e "set global general_log_file='$work/general.log'; set global general_log=1"
for name in n1 n2; do start_node "$name" --lease-ttl 5s; done
await_nodes n1 n2
feed=long
sluice feed create long --source "mysql://root@127.0.0.1:$source_port/" --sink "mysql://root@127.0.0.1:$sink_port/?silent-s=2" --filter 'd.*'
sql -e "create database d"
sql d -e "create table t (id int primary key); insert into t values (1), (2), (3); create table u (id int primary key); insert into u values (1)"
equal d "tables"

# Who has read a table in an open transaction keeps others from changing it.
hold() {
    mkfifo "$work/hold.$1"
    mariadb_sql sink --unbuffered <"$work/hold.$1" >"$work/held.$1" 2>&1 &
    holder=$!
    exec 7>"$work/hold.$1"
    echo "begin; select 'held' from d.$1 limit 1;" >&7
    until_true 30 "the lock" grep -q held "$work/held.$1"
}
let_go() {
    printf 'commit;\nquit\n' >&7 # nodes that were started meanwhile have this end open too
    exec 7>&-
    wait "$holder" || true
    holder=
}
is_waiting() { [[ $(sink -e "select count(*) from information_schema.processlist where state like 'Waiting for table metadata lock'") == 1 ]]; }
state() { sluice feed list | awk -v name="$feed" '$1 == name { print $2 }'; }
times() { grep -c "Query.*$1" "$work/general.log" || true; }

hold t
sql d -e "alter table t add column first_one int default 7; insert into t values (4, 8); insert into u values (2)"
until_true 60 "the change at the sink" is_waiting
sleep 6 # three times what an answer may take
is_waiting || fail "the change does not wait any more"
[[ $(state) == normal ]] || fail "the feed is $(state)"
let_go
equal d "a change that took long"
[[ $(times "alter table t add column first_one") == 1 ]] || fail "it was performed more than once"

hold u
sql d -e "alter table u add column v int default 3; insert into u values (3, 4)"
until_true 60 "the second change at the sink" is_waiting
for name in n1 n2; do
    kill -9 "${node_pid[$name]}"
    wait "${node_pid[$name]}" 2>/dev/null || true
    start_node "$name" --lease-ttl 5s
done
sql d -e "insert into u (id) values (10); alter table u drop column v"
until_true 60 "a coordinator" has_coordinator
until_true 60 "the second change again" is_waiting
let_go
equal d "a change whose node was killed"
[[ $(sink -e "select count(*) from sluice.ddl where state <> 'done'") == 0 ]] || fail "a change was not finished"
