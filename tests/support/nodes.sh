# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Nodes of a cluster and two databases, for tests and the demo: to be sourced after mariadb.sh, with $bin (the programs)
# and $work (a folder) set. Everything is ended by nodes_stop_all, which fails if a sanitizer said something, and mariadb_stop_all.
#
#   start_node NAME [option...]     restart_node NAME     until_true SECONDS WHAT COMMAND...
#   coordinator, other_node, nodes_alive N, has_coordinator, await_nodes NAME...
#   pair_of_databases   source and sink, with a user sluice/demo each; ports in source_port, sink_port

declare -A node_pid=() node_port=()

start_node() {
    local name=$1
    shift
    : "${node_port[$name]:=$(mariadb_free_port)}"
    "$bin/sluiced" --name "$name" --addr "127.0.0.1:${node_port[$name]}" --meta "sqlite:$work/meta.db" \
        --data-dir "$work/data" "$@" >>"$work/logs/$name.log" 2>&1 &
    node_pid[$name]=$!
}

# Killed, not asked.
restart_node() {
    local name=$1
    shift
    kill -9 "${node_pid[$name]}" 2>/dev/null || true
    wait "${node_pid[$name]}" 2>/dev/null || true
    start_node "$name" "$@"
}

nodes_stop_all() {
    local name
    for name in "${!node_pid[@]}"; do kill "${node_pid[$name]}" 2>/dev/null || true; done
    for name in "${!node_pid[@]}"; do wait "${node_pid[$name]}" 2>/dev/null || true; done
    ! grep -E '[A-Za-z]+Sanitizer|runtime error:' "$work"/logs/*.log >&2
}

sluice() { "$bin/sluice" "$@"; }

# For SLUICE_SERVER.
node_urls() {
    local name urls=
    for name in "$@"; do urls+="http://127.0.0.1:${node_port[$name]},"; done
    echo "${urls%,}"
}

# NAME...: the commands go to these nodes, all of them alive under a coordinator.
await_nodes() {
    SLUICE_SERVER=$(node_urls "$@")
    export SLUICE_SERVER
    until_true 60 "$# nodes" nodes_alive $#
    until_true 60 "a coordinator" has_coordinator
}

fail() {
    echo "$(basename "$0"): $*" >&2
    exit 1
}

until_true() {
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        ((SECONDS < deadline)) || fail "$what: not within time"
        sleep 0.1
    done
}

nodes_alive() { [[ $(sluice node list 2>/dev/null | grep -c ' alive ') == "$1" ]]; }
coordinator() { sluice node list | awk '$3 == "coordinator" { print $1 }'; }
has_coordinator() { [[ -n $(coordinator) ]]; }
# A node that does not coordinate.
other_node() { sluice node list | awk 'NR > 1 && $2 == "alive" && $3 != "coordinator" { print $1; exit }'; }

pair_of_databases() {
    local server
    mariadb_start source "$(mariadb_free_port)" "${MARIADB_SOURCE_OPTIONS[@]}"
    mariadb_start sink "$(mariadb_free_port)"
    source_port=$(sed -n 's/^port=//p' "$SL_MARIADB_DIR/source/my.cnf")
    sink_port=$(sed -n 's/^port=//p' "$SL_MARIADB_DIR/sink/my.cnf")
    for server in source sink; do
        mariadb_sql "$server" -e "create database sbtest; create database demo; create user sluice@'127.0.0.1' identified by 'demo'"
    done
    mariadb_sql source -e "grant replication slave, binlog monitor, select on *.* to sluice@'127.0.0.1'"
    mariadb_sql sink -e "grant all on sbtest.* to sluice@'127.0.0.1'; grant all on demo.* to sluice@'127.0.0.1';
        grant all on sluice.* to sluice@'127.0.0.1'"
}
# shellcheck disable=SC2034 # for those who source this
feed_uris() {
    source_uri="mysql://sluice:demo@127.0.0.1:$source_port/"
    sink_uri="mysql://sluice:demo@127.0.0.1:$sink_port/"
}

tables_of() { mariadb_sql source -e "select table_name from information_schema.tables where table_schema = '$1' order by 1"; }
checksums() { # SERVER
    local list
    list=$(tables_of sbtest | sed 's/^/sbtest./' | paste -sd, -)
    mariadb_sql "$1" -e "checksum table $list"
}
is_caught_up() { diff -q <(checksums source 2>&1) <(checksums sink 2>&1) >/dev/null; }
