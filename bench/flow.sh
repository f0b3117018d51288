# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034 # variables are for those who source this
# What the benchmarks between databases share. To be sourced from the root of the tree.

: "${SL_BUILD_DIR:=build/release}"
work=$(mktemp -d)
SL_MARIADB_DIR=$work/mariadb
mkdir -p "$SL_MARIADB_DIR"
# shellcheck source=tests/support/mariadb.sh
source tests/support/mariadb.sh
flow_end() {
    local pids
    pids=$(jobs -p)
    # shellcheck disable=SC2086 # one word each
    [[ -z $pids ]] || kill $pids 2>/dev/null || true
    mariadb_stop_all
    rm -rf "$work"
}
trap flow_end EXIT
flow=$SL_BUILD_DIR/bin/bench_flow

now() { date +%s.%N; }
per_second() { awk -v n="$1" -v a="$2" -v b="$3" 'BEGIN { printf "%.0f", n / (b - a) }'; }
line() { printf '%-48s %12s %10s  %s\n' "$1" "$2" "${3-}" "${4-}"; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.1f", a / b }'; }
times() { echo "$(ratio "$1" "$2") times"; }
value() { awk -v name="$1" '{ for (i = 1; i < NF; i += 2) if ($i == name) print $(i + 1) }' <<<"$2"; } # NAME "name value ..."
# Processor time of a process so far, in seconds; of a server by its name.
pid_cpu_s() { awk -v ticks="$(getconf CLK_TCK)" '{ print ($14 + $15) / ticks }' "/proc/$1/stat"; }
cpu_s() { pid_cpu_s "$(cat "$SL_MARIADB_DIR/$1/pid")"; }
socket() { echo "$SL_MARIADB_DIR/$1/sock"; }
port() { sed -n 's/^port=//p' "$SL_MARIADB_DIR/$1/my.cnf"; }
head_ts() { "$flow" head "$uri"; }
master() { mariadb_sql source -e 'show master status' | awk -v field="$1" '{ print $field }'; }
checksums() { mariadb_sql "$1" -e "checksum table $(seq -s, -f 'sbtest.sbtest%.0f' "$tables")"; }

# Options that all of them take; the usage of each is in its own first lines.
seconds=20 tables=4 rows=50000 without_cost=0
flow_options() {
    while (($# > 0)); do
        case $1 in
            --seconds | --tables | --rows) declare -g "${1#--}=$2" && shift ;;
            --without-cost) without_cost=1 ;;
            *)
                sed -n 's/^# usage: /usage: /p' "$0" >&2
                exit 2
                ;;
        esac
        shift
    done
}

flow_big=(innodb_buffer_pool_size=1G innodb_log_file_size=1G)

# A source with sysbench's tables; sets uri, sysbench.
flow_start_server() {
    mariadb_start source "$(mariadb_free_port)" "${MARIADB_SOURCE_OPTIONS[@]}" "${flow_big[@]}" max_binlog_size=1G
    uri="mysql://root@127.0.0.1:$(port source)/"
    mariadb_sql source -e 'create database sbtest'
    sysbench=(sysbench oltp_write_only --db-driver=mysql --mysql-socket="$(socket source)" --mysql-user=root
        --mysql-db=sbtest --tables="$tables" --table-size="$rows" --rand-type=uniform)
    "${sysbench[@]}" --threads="$tables" prepare >"$work/prepare"
}

# The same, and what is in it kept for copies of it.
flow_start_source() {
    flow_start_server
    mariadb-dump --no-defaults -uroot --socket="$(socket source)" --databases sbtest >"$work/dump.sql"
}

# A server with what the source had when it started.
flow_start_copy() {
    mariadb_start "$1" "$(mariadb_free_port)" "${flow_big[@]}"
    mariadb_sql "$1" <"$work/dump.sql"
}

# Seconds of load; sets from (ts), file, start, end (positions), changes, bytes.
flow_make_backlog() {
    file=$(master 1)
    start=$(master 2)
    from=$(head_ts)
    "${sysbench[@]}" --threads=4 --time="$seconds" run >"$work/load"
    end=$(master 2)
    changes=$(awk '/write:/ { print $2 }' "$work/load")
    bytes=$((end - start))
    echo "backlog: $changes row changes, $((bytes / 1000000)) MB of log; $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg)"
}
