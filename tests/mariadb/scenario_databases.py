# SPDX-License-Identifier: Apache-2.0
"""A feed between two MariaDB servers as operators have them: TLS, the documented grants and no others, large rows and
transactions."""

import subprocess
import sys

from pair import LIMIT_S, MIB, Pair, memory_used, wait_noted, wait_stopped, write_large  # first: it says where the next one is
from cluster import Failure, main, tests_of
from proxy import Proxy

def second_opinion(pair):
    """What pt-table-sync would change at the sink."""
    done = subprocess.run(["pt-table-sync", "--print", "--no-check-slave", "--no-check-triggers", "--charset=utf8mb4",
                           "--databases=" + ",".join(pair.databases),
                           *[f"h=localhost,S={server.socket},u=root" for server in (pair.source, pair.sink)]],
                          capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode in (0, 2), done  # 2: there are differences
    return done.stdout


# ---- tests ----


def test_without_tls_a_user_who_has_to_use_it_is_refused_and_the_feed_says_so():
    with Pair(count=1, secure=True) as pair:
        pair.source.run_text("create database d; create table d.a (id int primary key)")
        try:
            pair.create("plain", source=pair.source.uri("repl"))
        except Failure as failure:
            assert "Access denied" in str(failure), failure
            return
        wait_stopped(pair, "plain", "access denied")


def test_a_connection_that_ends_in_the_handshake_of_tls_is_tried_again():
    with Pair(count=1, secure=True) as pair:
        proxies = [Proxy(), Proxy()]
        ports = [int(proxy.address.rsplit(":", 1)[1]) for proxy in proxies]
        for proxy, server in zip(proxies, (pair.source, pair.sink)):
            proxy.to(server.port)
        pair.create(source=pair.source.uri("repl", port=ports[0], **pair.params),
                    sink=pair.sink.uri("apply", port=ports[1], **pair.params))
        pair.source.run_text("create database d; create table d.a (id int primary key); insert into d.a values (1)")
        pair.wait_equal()
        for number, proxy in enumerate(proxies):
            proxy.client_bytes_max = 100  # the wish for TLS passes, the client's hello does not
            proxy.mend()
            pair.source.run_text(f"insert into d.a values ({number + 2})")
            wait_noted(pair, "SSL", number + 1)
            proxy.client_bytes_max = None
            pair.wait_equal()
        for proxy in proxies:
            proxy.close()


def test_large_rows_and_transactions_arrive():
    with Pair(more=["max_allowed_packet=64M", "innodb_log_file_size=256M"]) as pair:
        pair.create()
        pair.source.run_text("""create database d; create table d.a (id int primary key, v varchar(200));
            create table d.b (id int primary key, data longblob);
            use d; begin; insert into d.a select seq, repeat('x', seq % 200) from seq_1_to_200000;
            update d.a set v = concat(v, 'y') where id % 2 = 0 and length(v) < 200; delete from d.a where id % 5 = 0; commit;
            insert into d.b values (1, repeat('b', 20 << 20)), (2, ''), (3, null);
            insert into d.b values (4, repeat(unhex('00ff'), 5 << 20));
            update d.b set data = concat(data, 'end') where id in (1, 2)""")
        assert pair.wait_equal() == 160004


def test_tls_and_the_documented_grants_are_enough_and_another_tool_finds_no_difference():
    with Pair(secure=True) as pair:
        pair.create()
        pair.source.run_text("""create database d;
            create table d.a (id int primary key, name varchar(40) character set utf8mb4, amount decimal(20,6), t timestamp(6));
            create table d.b (k varchar(20), n int, data blob, primary key (k, n));
            use d; insert into d.a select seq, concat('name ', unhex('c3a4'), seq), seq / 7, from_unixtime(1700000000 + seq) from seq_1_to_5000;
            insert into d.b select concat('k', seq % 10), seq, repeat(unhex('00ff27'), seq % 50) from seq_1_to_3000;
            update d.a set amount = -amount where id % 3 = 0; delete from d.b where n % 7 = 0""")
        assert pair.wait_equal() > 7000
        for server, user in ((pair.source, "repl"), (pair.sink, "apply")):
            spoken = server.sql("""select count(*) from information_schema.processlist p where p.user = %s""", user)
            assert spoken[0][0] > 0  # and the server lets them in over TLS only
        assert second_opinion(pair) == ""
        pair.sink.run_text("update d.a set name = 'other' where id = 17; delete from d.b where n = 1")
        found = second_opinion(pair)
        assert "17" in found and len(found.splitlines()) == 2, found


def test_two_thousand_tables_are_made_and_follow():
    with Pair() as pair:
        pair.create()
        lines = ["create database d;"]
        lines += [f"create table d.t{n} (id int primary key, n int); insert into d.t{n} values ({n}, 0);" for n in range(2000)]
        pair.source.run_text("\n".join(lines))
        pair.source.run_text("\n".join(f"update d.t{n} set n = n + 1;" for n in range(2000)))
        assert pair.wait_equal(4 * LIMIT_S) == 2000
        counts = {item["node_id"]: len(item["table_ids"]) for item in
                  pair.cluster.nodes[0].get("/api/v2/changefeeds/f1/tables")["items"]}
        assert len(counts) == 2 and min(counts.values()) > 500, counts


def test_the_memory_of_a_node_does_not_grow_with_a_transaction():
    rows = 300000
    with Pair(count=1, more=["innodb_log_file_size=512M"], options={"memory_rows": "64MiB"}) as pair:
        node = pair.cluster.nodes[0]
        pair.create()
        pair.source.run_text("create database d; create table d.a (id int primary key, v varchar(1000), n int)")
        pair.wait_equal()
        before = memory_used(node)
        write_large(pair, rows)
        pair.wait_behind(limit=4 * LIMIT_S)
        most = memory_used(node) - before
        print(f"memory for one transaction of {rows // 1000} MB: {most / MIB:.0f} MiB", flush=True)
        assert most < 120 * MIB, most
        assert pair.wait_equal() == rows - rows // 1000 + 1


if __name__ == "__main__":
    sys.exit(main(tests_of(globals())))
