# SPDX-License-Identifier: Apache-2.0
"""A feed between two MariaDB servers as operators have them: TLS, the documented grants and no others, large rows and
transactions."""

import sys

from pair import Pair, wait_noted, wait_stopped  # first: it says where the next one is
from cluster import Failure, main, tests_of
from proxy import Proxy

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


if __name__ == "__main__":
    sys.exit(main(tests_of(globals())))
