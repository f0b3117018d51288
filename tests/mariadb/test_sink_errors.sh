#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the sink makes of errors of its server, class by class: a trigger raises them. What passes is told as such, what
# lasts names the remedy, and a deadlock is over before anybody hears of it.
set -euo pipefail
cd "$(dirname "$0")/../.."
SL_MARIADB_DIR=$(mktemp -d)
# shellcheck source=tests/support/mariadb.sh
source tests/support/mariadb.sh
trap 'mariadb_stop_all; rm -rf "$SL_MARIADB_DIR"' EXIT
read_source=$SL_BUILD_DIR/tests/read_source

source_port=$(mariadb_free_port)
mariadb_start source "$source_port" "${MARIADB_SOURCE_OPTIONS[@]}"
sink_port=$(mariadb_free_port)
mariadb_start sink "$sink_port" innodb_lock_wait_timeout=1
uri="mysql://root@127.0.0.1:$source_port/"
sink="mysql://root@127.0.0.1:$sink_port/"
for name in source sink; do
    mariadb_sql "$name" -e 'create database t; create table t.a (id int primary key, v varchar(20)) engine=InnoDB'
done
from=$("$read_source" "$uri" head)
mariadb_sql source -e "insert into t.a values (1, 'one'), (2, 'two'); delete from t.a where id = 1"

copy() { # [URI]: the exit status and what was said
    "$read_source" "$uri" apply "$from" "${1:-$sink}" >"$SL_MARIADB_DIR/said" 2>&1
}
fails_with() { # CODE [URI]
    if copy "${2:-$sink}"; then
        echo "nothing failed, $1 was wanted" >&2
        exit 1
    fi
    grep -q "^$1: " "$SL_MARIADB_DIR/said" || { cat "$SL_MARIADB_DIR/said" >&2 && exit 1; }
}
raise() { # ERRNO SQLSTATE [CONDITION]: of each row that is written
    mariadb_sql sink t -e "create or replace trigger fault before insert on a for each row
        begin set @tries = coalesce(@tries, 0) + 1;
        if ${3:-true} then signal sqlstate '$2' set mysql_errno = $1, message_text = 'row two'; end if; end" --delimiter='//'
}

echo "== errors that a trigger raises"
while read -r errno sqlstate code; do
    raise "$errno" "$sqlstate"
    fails_with "$code"
done <<'CASES'
1213 40001 DATABASE_CONFLICT
1205 HY000 DATABASE_LOCKED
1290 HY000 DATABASE_READ_ONLY
1021 HY000 DATABASE_FULL
1053 08S01 DATABASE_UNREACHABLE
1062 23000 SINK_DUPLICATE_KEY
4025 23000 SINK_CONSTRAINT
1406 22001 SINK_VALUE
1815 HY000 DATABASE_REFUSES
CASES
raise 1062 23000
fails_with SINK_DUPLICATE_KEY
if grep -q two "$SL_MARIADB_DIR/said"; then
    echo "a value of a row was shown" >&2
    exit 1
fi

echo "== nothing of a transaction that failed is there"
[[ $(mariadb_sql sink -e 'select count(*) from t.a; select count(*) from sluice.progress where ts > 0') == $'0\n0' ]]

echo "== two deadlocks in a row, and then it works"
raise 1213 40001 '@tries <= 2'
copy
[[ $(mariadb_sql sink -e 'select id, v from t.a') == $'2\ttwo' ]]

echo "== a feed of many tables: each transaction looks at the progress of its own"
mariadb_sql sink sluice -e "insert into progress (feed, table_id, range_id, maintainer_epoch, placement_seq, ts)
    select feed, table_id + seq, 0, 1, 1, 0 from progress, seq_1_to_2000 where table_id <> 0 limit 2000"
read_next() { mariadb_sql sink -e "show global status like 'Handler_read_next'" | cut -f 2; }
before=$(read_next)
copy
(($(read_next) - before < 2000)) || { echo "all rows of the feed were read: $(read_next), $before before" >&2 && exit 1; }

echo "== a lock that is held"
mariadb_sql sink t -e 'drop trigger fault; drop database sluice; delete from a'
mkfifo "$SL_MARIADB_DIR/fifo"
mariadb_sql sink --unbuffered <"$SL_MARIADB_DIR/fifo" >"$SL_MARIADB_DIR/held" 2>&1 &
holder=$!
exec 3>"$SL_MARIADB_DIR/fifo"
echo 'begin; insert into t.a values (2, "mine"); select 1;' >&3
until [[ -s $SL_MARIADB_DIR/held ]]; do sleep 0.1; done
fails_with DATABASE_LOCKED
exec 3>&-
wait "$holder"

echo "== a server that only reads, a table that is not there, a login that is wrong"
mariadb_sql sink -e "create user w@'127.0.0.1'; grant all on t.* to w@'127.0.0.1'; grant all on sluice.* to w@'127.0.0.1'"
mariadb_sql sink -e 'set global read_only=on'
fails_with DATABASE_READ_ONLY "mysql://w@127.0.0.1:$sink_port/"
mariadb_sql sink -e 'set global read_only=off; drop table t.a'
fails_with SINK_SCHEMA
fails_with DATABASE_LOGIN "mysql://nobody:x@127.0.0.1:$sink_port/"
echo "== done"
