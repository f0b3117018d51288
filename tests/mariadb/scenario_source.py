# SPDX-License-Identifier: Apache-2.0
"""What a source does that a feed has to go on with, or to stop in front of: transactions larger than a node's memory for
rows, logs that are rotated while nothing happens, logs that are purged."""

import os
import sys

from pair import LIMIT_S, MIB, Pair, memory_used, wait_stopped, write_large  # first: it says where the next one is
from cluster import Failure, Unavailable, main, tests_of, wait

IS_SANITIZED = "asan" in os.environ.get("SL_BUILD_DIR", "")


def test_a_transaction_larger_than_the_memory_goes_on_behind_its_last_part_after_a_crash():
    rows = 50000
    with Pair(count=1, lease_ttl="5s", options={"memory_rows": "16MiB"}) as pair:
        node = pair.cluster.nodes[0]
        pair.create()
        pair.source.run_text("create database d; create table d.a (id int primary key, v varchar(1000), n int)")
        pair.wait_equal()
        pair.sink.run_text("""create database seen; create table seen.a (number bigint auto_increment primary key, id int);
            create trigger d.once after insert on d.a for each row insert into seen.a (id) values (new.id)""")
        before = memory_used(node)
        blocker = pair.sink.connect(autocommit=False)
        with blocker.cursor() as cursor:
            cursor.execute(f"insert into d.a values ({rows}, '', 0)")  # a row of the last part: none passes it
            write_large(pair, rows)
            wait(lambda: pair.sink.sql("select count(*) from d.a")[0][0] > rows // 2, "the first parts to be there", LIMIT_S)
            most = memory_used(node)
            node.kill()
        blocker.rollback()
        assert 0 < pair.sink.sql("select count(*) from d.a")[0][0] < rows
        node.start()
        pair.wait_behind()
        most = max(most, memory_used(node)) - before
        print(f"memory for one transaction of {rows // 1000} MB: {most / MIB:.0f} MiB", flush=True)
        written = pair.sink.sql("select count(*), count(distinct id) from seen.a")[0]
        pair.sink.run_text("drop trigger d.once; drop database seen")
        pair.wait_equal()
        # A row that was changed or deleted may come with its last value alone, so some come once and some not at all.
        assert written[1] <= rows + 1 and written[0] <= written[1] + rows // 1000, written
        assert IS_SANITIZED or most < 45 * MIB, most


def test_a_check_of_the_source_names_what_a_feed_would_be_refused_for():
    with Pair(count=1) as pair:
        node, source = pair.cluster.nodes[0], pair.source

        def check(user="repl"):
            return node.post("/api/v2/verify_table", {"source_uri": source.uri(user)})

        def refused(*words, user="repl"):
            try:
                check(user)
            except Unavailable as failure:
                assert all(word in str(failure) for word in words), failure
            else:
                raise Failure(f"not refused: {words}")
        source.run_text("""create database d; create table d.plain (id int); create table d.keyed (id int primary key);
            create table d.only_unique (id int not null unique, v int); create table d.unique_or_null (id int unique);
            create user reader@'%' identified by 'secret'; grant binlog monitor, select on *.* to reader@'%'""")
        found = check()
        assert sorted(table["table_name"] for table in found["ineligible_tables"]) == ["plain", "unique_or_null"], found
        assert sorted(table["table_name"] for table in found["eligible_tables"]) == ["keyed", "only_unique"], found
        assert len(found["all_tables"]) == 4, found
        refused("REPLICATION SLAVE", user="reader")
        source.run_text("set global binlog_format=MIXED; set global binlog_row_metadata=NO_LOG; set global binlog_row_image=MINIMAL")
        refused("binlog_format=MIXED", "binlog_row_image=MINIMAL", "binlog_row_metadata=NO_LOG",
                "SET GLOBAL binlog_format=ROW, binlog_row_image=FULL, binlog_row_metadata=FULL")
        source.stop()
        refused("can be reached")


def test_rotations_of_an_idle_source_do_not_hold_the_checkpoint():
    with Pair(count=1) as pair:
        pair.create()
        pair.source.run_text("create database d; create table d.a (id int primary key)")
        for number in range(6):
            pair.source.run_text("flush binary logs")
            if number % 2 == 0:
                pair.source.run_text(f"insert into d.a values ({number})")
            pair.wait_behind()
        assert pair.wait_equal() == 3


def test_a_log_that_was_purged_stops_the_feed_with_a_way_out_and_no_other():
    with Pair(databases=("d", "e")) as pair:
        node = pair.cluster.nodes[0]
        pair.create("gone", ["d"])
        pair.create("fine", ["e"])
        pair.source.run_text("create database d; create table d.a (id int primary key); create database e; "
                             "create table e.a (id int primary key)")
        for name in ("gone", "fine"):
            pair.wait_behind(name)
        wait(lambda: node.post("/api/v2/changefeeds/gone/pause") or True, "the feed to be paused")
        wait(lambda: pair.feed("gone")["state"] == "stopped", "the feed to be stopped")
        for number in range(3):
            pair.source.run_text(f"flush binary logs; insert into d.a values ({number}); insert into e.a values ({number})")
        pair.wait_behind("fine")
        pair.source.run_text(f"purge binary logs to '{pair.source.sql('show master status')[0][0]}'")
        wait(lambda: node.post("/api/v2/changefeeds/gone/resume") or True, "the feed to be resumed")
        found = wait_stopped(pair, "gone", "SOURCE_PURGED", "log file number", "binlog_expire_logs_seconds")
        assert "anew" in str(found), found
        pair.source.run_text("insert into e.a values (100)")
        pair.wait_behind("fine")
        assert len(pair.sink.sql("select * from e.a")) == 4


if __name__ == "__main__":
    sys.exit(main(tests_of(globals())))
