#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The file sink in each of its protocols, from a real source under load, with schema changes, while a node is drained and
# others are killed: what a reader makes of the files is what the source holds, row by row, and no change is there twice.
# sl:builds (takes as long as the machine is busy)
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

sql() { mariadb_sql source "$@"; }

mariadb_start source "$(mariadb_free_port)" "${MARIADB_SOURCE_OPTIONS[@]}"
source_port=$(sed -n 's/^port=//p' "$SL_MARIADB_DIR/source/my.cnf")
node_options=(--lease-ttl 4s)
for name in n1 n2 n3; do start_node "$name" "${node_options[@]}"; done
await_nodes n1 n2 n3
protocols=(canal-json debezium csv)
for protocol in "${protocols[@]}"; do
    sluice feed create "$protocol" --source "mysql://root@127.0.0.1:$source_port/" --filter 'shop.*' \
        --sink "file://$work/$protocol?protocol=$protocol&flush-interval=300ms&file-size=256KiB"
done
if sluice feed create again --source "mysql://root@127.0.0.1:$source_port/" --sink "file://$work/csv?protocol=csv" 2>"$work/again"; then
    fail "two feeds got one directory"
fi
grep -q "a directory of its own" "$work/again" || fail "what to do about it is not said: $(cat "$work/again")"

sql -e "create database shop"
sql --default-character-set=utf8mb4 shop <<'SQL'
create table kinds (id int, part varchar(20) character set utf8mb4, i8 tinyint, u64 bigint unsigned, d decimal(20,6), f float, g double,
    latin varchar(50) character set latin1, utf text character set utf8mb4, bin varbinary(50), fixed binary(4), b blob,
    day date, at datetime(6), stamp timestamp(3) null, t time(2), y year, e enum('a','b','c'), s set('x','y','z'), bits bit(10),
    primary key (id, part));
create table `odd/name %` (`a b` int primary key, `c"d` text);
insert into kinds values (1, 'ä', -128, 18446744073709551615, -99999999999999.999999, 1.5, -2.5e300, 'grün', '𝄞 "q", ''s'' \\N
line', x'00ff0a', x'0102', x'', '2026-02-28', '2026-01-02 03:04:05.678901', '2026-01-02 03:04:05.678', '-12:34:56.78', 2026, 'b', 'x,z', b'1000000001');
insert into kinds (id, part) values (2, '');
insert into `odd/name %` values (1, '\\N'), (2, 'NULL'), (3, null), (4, '');
SQL
bench=(sysbench oltp_write_only --db-driver=mysql --mysql-socket="$SL_MARIADB_DIR/source/sock" --mysql-user=root
    --mysql-db=shop --tables=3 --table-size=1000 --rand-type=uniform --threads=1)
"${bench[@]}" prepare >"$work/logs/prepare.log"
"${bench[@]}" --time=3600 --rate=60 run >"$work/logs/load.log" 2>&1 &
load=$!

# Changes that are not sysbench's, a few more in each round.
round=10
change() {
    round=$((round + 1))
    sql shop -e "insert into kinds (id, part, utf, d) values ($round, 'k', 'first', $round.5), ($round, 'l', null, 0);
        update kinds set utf = concat(ifnull(utf, ''), '+'), i8 = $round where part = 'k';
        update kinds set id = id + 1000 where id = $round and part = 'l'; delete from kinds where id = $((round - 3)) and part = 'k'"
}
checkpoint() { sluice feed show "$1" --json | /usr/bin/python3 -c 'import json, sys; print(json.load(sys.stdin)["checkpoint_ts"])'; }
head_ts() { sql -e "show master status" | awk '{ split($1, name, "."); printf "%d", name[2] * 4294967296 + $2 - 1 }'; }
has_come() { local now; now=$(checkpoint "$1" 2>/dev/null) && ((now >= mark)); }
goes_on() { # WHAT
    change
    mark=$(head_ts)
    for protocol in "${protocols[@]}"; do until_true 90 "$1: $protocol going on" has_come "$protocol"; done
    echo "ok: $1"
}
goes_on "the start"

sql shop -e "create table gone (id int primary key, v int); insert into gone values (1, 1), (2, 2); truncate table gone;
    insert into gone values (3, 3); alter table kinds add column later varchar(10) character set utf8mb4; alter table gone drop column v"
change
target=$(other_node)
sluice node drain "$target" >/dev/null
sql shop -e "rename table gone to here; insert into here values (4); create table brief (id int primary key); insert into brief values (1);
    update kinds set later = 'now' where part = 'k'; drop table brief; create table brief (id int primary key, x int); insert into brief values (7, 7)"
restart_node "$target" "${node_options[@]}"
goes_on "a drain amid schema changes, and the node killed behind it"

restart_node "$(other_node)" "${node_options[@]}"
until_true 60 "a killed node again" nodes_alive 3
goes_on "kill -9 of a node"
restart_node "$(coordinator)" "${node_options[@]}"
until_true 60 "a coordinator" has_coordinator
goes_on "kill -9 of the coordinator"

kill "$load"
wait "$load" 2>/dev/null || true
load=
goes_on "the end of the load"
is_finished() { [[ -z $(find "$work/$1" -name '*.part' -newer "$work/$1/.sluice/mark" -size +0) ]]; }
is_shown() { (($(/usr/bin/python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["checkpoint"])' "$work/$1/checkpoint" 2>/dev/null || echo 0) >= mark)); }
for protocol in "${protocols[@]}"; do
    until_true 60 "$protocol: files being finished" is_finished "$protocol"
    until_true 60 "$protocol: the checkpoint being shown" is_shown "$protocol"
    tests/mariadb/compare_files.py "$SL_MARIADB_DIR/source/sock" "$work/$protocol" shop
done

# As on a node where the shared directory is not mounted.
sluice feed pause csv
rm "$work/csv/.sluice/mark"
sluice feed resume csv
says_what_to_do() { sluice feed show csv | grep -q "mount one shared directory at this path on every node"; }
until_true 60 "the missing mark being told" says_what_to_do
