#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Real rows under faults: nodes killed, a node asleep past its lease, the sink away, the source restarted, moves and drains,
# all under load; in the end both databases hold the same rows. sl:builds (takes as long as the machine is busy)
set -euo pipefail
cd "$(dirname "$0")/../.."
bin=$SL_BUILD_DIR/bin
work=$(mktemp -d)
SL_MARIADB_DIR=$work/mariadb
mkdir -p "$SL_MARIADB_DIR" "$work/logs"
# shellcheck source=tests/support/mariadb.sh
source tests/support/mariadb.sh
# shellcheck source=tests/support/nodes.sh
source tests/support/nodes.sh
load=

stop_all() {
    local status=$?
    [[ -z $load ]] || kill "$load" 2>/dev/null || true
    nodes_stop_all || status=1
    mariadb_stop_all
    if ((status != 0)); then tail -n 30 "$work"/logs/*.log; fi
    rm -rf "$work"
    exit "$status"
}
trap stop_all EXIT

pair_of_databases
feed_uris
bench=(sysbench oltp_write_only --db-driver=mysql --mysql-socket="$SL_MARIADB_DIR/source/sock" --mysql-user=root
    --mysql-db=sbtest --tables=6 --table-size=2000 --rand-type=uniform --threads=1)
"${bench[@]}" prepare >"$work/logs/prepare.log"
mariadb-dump --no-defaults -uroot --socket="$SL_MARIADB_DIR/source/sock" --databases sbtest | mariadb_sql sink
node_options=(--lease-ttl 4s)
for name in n1 n2 n3; do start_node "$name" "${node_options[@]}"; done
await_nodes n1 n2 n3
sluice feed create shop --source "$source_uri" --sink "$sink_uri" --filter 'sbtest.*'

# A load that goes on when the server comes back.
run_load() {
    trap 'kill $! 2>/dev/null; exit 0' TERM
    while :; do
        "${bench[@]}" --time=3600 --rate=200 --mysql-ignore-errors=all run >>"$work/logs/load.log" 2>&1 &
        wait $! || sleep 0.2
    done
}
run_load &
load=$!

# Each fault ends with the feed moving again.
checkpoint() { sluice feed show shop --json | /usr/bin/python3 -c 'import json, sys; print(json.load(sys.stdin)["checkpoint_ts"])'; }
has_moved() { local now; now=$(checkpoint 2>/dev/null) && ((now > mark)); }
goes_on() { # WHAT
    mark=$(checkpoint 2>/dev/null || echo 0)
    until_true 90 "$1: the feed going on" has_moved
    echo "ok: $1"
}
goes_on "the start"

target=$(other_node)
sluice node drain "$target" >/dev/null
restart_node "$target" "${node_options[@]}"
until_true 60 "$target again" nodes_alive 3
goes_on "a drain, and the node killed behind it"

restart_node "$(other_node)" "${node_options[@]}"
until_true 60 "a killed node again" nodes_alive 3
goes_on "kill -9 of a node"

restart_node "$(coordinator)" "${node_options[@]}"
until_true 60 "a killed coordinator again" nodes_alive 3
until_true 60 "a coordinator" has_coordinator
goes_on "kill -9 of the coordinator"

mariadb_kill sink
sleep 1 # rows pile up
mariadb_run sink
goes_on "the sink killed and back"

mariadb_stop source
mariadb_run source
goes_on "the source restarted"

sleeper=$(other_node)
kill -STOP "${node_pid[$sleeper]}"
until_true 60 "the others without $sleeper" nodes_alive 2
kill -CONT "${node_pid[$sleeper]}"
wait "${node_pid[$sleeper]}" || true # fenced: it ends by itself
start_node "$sleeper" "${node_options[@]}"
until_true 60 "$sleeper again" nodes_alive 3
goes_on "a node asleep past its lease"

kill "$load"
wait "$load" 2>/dev/null || true
load=
until_true 90 "both databases alike" is_caught_up
checksums source
