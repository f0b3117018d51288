# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Private MariaDB servers for tests: own directory, own port, stopped by pid. To be sourced.
#
#   mariadb_start NAME PORT [option...]   starts it under $SL_MARIADB_DIR/NAME and waits until it answers
#   mariadb_sql NAME [args...]            the client, as root over the socket
#   mariadb_stop NAME / mariadb_kill NAME / mariadb_stop_all
#   mariadb_free_port                     a port nobody uses now

: "${SL_MARIADB_DIR:=$(mktemp -d)}"

mariadb_free_port() {
    "$(dirname "${BASH_SOURCE[0]}")/free_port.py"
}

mariadb_sql() {
    local name=$1
    shift
    mariadb --no-defaults -uroot --socket="$SL_MARIADB_DIR/$name/sock" --batch --skip-column-names "$@"
}

mariadb_run() { # NAME: starts the process of a directory that exists
    local dir=$SL_MARIADB_DIR/$1
    mariadbd --defaults-file="$dir/my.cnf" >"$dir/out" 2>&1 &
    echo $! >"$dir/pid"
    local tries=0
    until mariadb_sql "$1" -e 'select 1' >/dev/null 2>&1; do
        tries=$((tries + 1))
        if ((tries > 600)) || ! kill -0 "$(cat "$dir/pid")" 2>/dev/null; then
            echo "mariadb $1 did not start:" >&2
            tail -n 20 "$dir/out" >&2
            return 1
        fi
        sleep 0.1
    done
}

mariadb_start() {
    local name=$1 port=$2 dir=$SL_MARIADB_DIR/$1
    shift 2
    mkdir -p "$dir/tmp" # a server that starts removes what others have in a common one
    {
        echo "[mariadbd]"
        echo "user=$(id -un)"
        echo "datadir=$dir/data"
        echo "tmpdir=$dir/tmp"
        echo "socket=$dir/sock"
        echo "pid-file=$dir/mariadbd.pid"
        echo "port=$port"
        echo "bind-address=127.0.0.1"
        echo "server_id=$port"
        echo "skip-name-resolve"
        echo "innodb_buffer_pool_size=128M"
        echo "innodb_log_file_size=64M"
        echo "innodb_flush_log_at_trx_commit=2"
        for option in "$@"; do echo "$option"; done
    } >"$dir/my.cnf"
    mariadb-install-db --defaults-file="$dir/my.cnf" --auth-root-authentication-method=normal \
        --skip-test-db --force >"$dir/install.out" 2>&1 || {
        tail -n 20 "$dir/install.out" >&2
        return 1
    }
    mariadb_run "$name"
}

# The options of a source that can be replicated.
# shellcheck disable=SC2034 # for those who source this
MARIADB_SOURCE_OPTIONS=(log_bin=bin binlog_format=ROW binlog_row_image=FULL binlog_row_metadata=FULL
    gtid_strict_mode=ON binlog_checksum=CRC32)

mariadb_kill() {
    local pid
    pid=$(cat "$SL_MARIADB_DIR/$1/pid")
    kill -9 "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    return 0
}

mariadb_stop() {
    local pid
    pid=$(cat "$SL_MARIADB_DIR/$1/pid" 2>/dev/null) || return 0
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    return 0
}

mariadb_stop_all() {
    local dir
    for dir in "$SL_MARIADB_DIR"/*/; do
        [[ -f $dir/pid ]] && mariadb_stop "$(basename "$dir")"
    done
    return 0
}
