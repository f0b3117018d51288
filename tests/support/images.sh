# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154 # work, feed: of who sources this
# A database as text, and the wait until source and sink hold the same: to be sourced after nodes.sh.
#
#   image SERVER DATABASE      definitions and rows of all tables
#   equal DATABASE WHAT        waits until both are the same; otherwise shows the difference and the feed named $feed

image() {
    local table
    mariadb_sql "$1" -e "select schema_name, default_collation_name from information_schema.schemata where schema_name = '$2'"
    for table in $(mariadb_sql "$1" -e "select table_name from information_schema.tables where table_schema = '$2' order by 1"); do
        mariadb_sql "$1" "$2" -e "show create table \`$table\`; select * from \`$table\` order by 1" 2>/dev/null | sed 's/ AUTO_INCREMENT=[0-9]*//'
    done
}
is_equal() { diff <(image source "$1") <(image sink "$1") >"$work/diff" 2>&1; }
equal() {
    local deadline=$((SECONDS + 90))
    until is_equal "$1"; do
        if ((SECONDS > deadline)); then
            cat "$work/diff" >&2
            sluice feed show "$feed" >&2 || true
            fail "$2: source and sink differ"
        fi
        sleep 0.2
    done
    echo "ok: $2"
}
