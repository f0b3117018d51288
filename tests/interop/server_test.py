# SPDX-License-Identifier: Apache-2.0
"""Our transport dials grpcio, as it would a foreign node with a larger address."""

import concurrent.futures
import json
import queue
import threading
import time

import grpc
from interop import OPTIONS, WAIT_SECONDS, Tool, message, parse, run

ADDRESS = ["--address", "0.0.0.1:1", "--fast"]  # smaller than any 127.0.0.1:port, so the tool dials


class Server:
    """A foreign acceptor: it checks the handshake as the reference does and writes only when both lanes are there."""

    def __init__(self, node="py", port=0, credentials=None, refuse=None, silent=False):
        self.node, self.refuse, self.silent = node, refuse, silent
        self.incoming = {"event": queue.Queue(), "command": queue.Queue()}
        self.outgoing = {"event": queue.Queue(), "command": queue.Queue()}
        self.handshakes, self.problems, self.metadata = [], [], []
        self.both = threading.Event()
        self.reading = threading.Event()
        self.reading.set()
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(16), options=OPTIONS)
        handler = grpc.stream_stream_rpc_method_handler(self._serve)
        self.server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("proto.MessageService", {"streamMessages": handler}),))
        address = f"127.0.0.1:{port}"
        self.port = self.server.add_secure_port(address, credentials) if credentials else \
            self.server.add_insecure_port(address)
        assert self.port != 0
        self.server.start()

    def _serve(self, requests, context):
        self.metadata.append(dict(context.invocation_metadata()))
        first = parse(next(requests))
        if self.refuse:
            context.abort(*self.refuse)
        fields = dict(first)
        doc = json.loads(fields[5])
        if fields[1] != 36 or fields[3].decode() != self.node or 4 in fields:
            self.problems.append(first)
        self.handshakes.append(doc)
        lane = doc["StreamType"]
        if {h["StreamType"] for h in self.handshakes} == {"event", "command"}:
            self.both.set()
        threading.Thread(target=self._read, args=(requests, lane), daemon=True).start()
        while True:
            data = self.outgoing[lane].get()
            if data is None:
                return
            yield data

    def _read(self, requests, lane):
        try:
            while True:
                self.reading.wait()
                self.incoming[lane].put(next(requests))
        except (grpc.RpcError, StopIteration, Exception) as end:
            self.problems.append(end) if isinstance(end, KeyError) else None
            self.outgoing[lane].put(None)

    def receive(self, lane):
        return parse(self.incoming[lane].get(timeout=WAIT_SECONDS))

    def stop(self):
        self.server.stop(0).wait()


def connected(*options):
    server = Server()
    tool = Tool("tool", *ADDRESS, *options)
    tool.command(f"peers py=127.0.0.1:{server.port}")
    tool.wait("event PEER_CONNECTED py")
    assert server.both.wait(WAIT_SECONDS)
    return server, tool


def finish(server, tool):
    assert not server.problems, server.problems
    tool.close()
    server.stop()


def the_handshake_is_that_of_the_reference():
    server, tool = connected()
    for doc in server.handshakes:
        assert list(doc) == ["Version", "Timestamp", "StreamType"] and doc["Version"] == 1, doc
        assert abs(doc["Timestamp"] - time.time()) < 100
    assert len(server.handshakes) == 2
    assert all("grpc-encoding" not in m for m in server.metadata), server.metadata
    finish(server, tool)


def each_message_takes_the_lane_of_its_type():
    server, tool = connected()
    tool.command("send py 45 maintainer-manager hello")
    assert server.receive("command") == [(1, 45), (2, b"tool"), (3, b"py"), (4, b"maintainer-manager"), (5, b"hello")]
    tool.command("send py 12 log-coordinator #3")
    assert server.receive("event")[0] == (1, 12)
    server.outgoing["command"].put(message(42, "py", "tool", "coordinator", b"abc"))
    assert tool.wait("message py 42").split()[5] == "3"
    finish(server, tool)


def a_foreign_acceptor_that_writes_first_is_heard_at_once():
    server = Server()
    for _ in range(3):
        server.outgoing["command"].put(message(24, "py", "tool", "maintainer-manager", b"\x08\x01"))
    tool = Tool("tool", *ADDRESS)
    tool.command(f"peers py=127.0.0.1:{server.port}")
    begun = time.monotonic()
    for _ in range(3):
        tool.wait("message py 24")
    assert time.monotonic() - begun < 20
    finish(server, tool)


def big_messages_travel_both_ways():
    server, tool = connected()
    size = 30 << 20
    tool.command(f"send py 42 coordinator #{size}")
    assert len(server.receive("command")[-1][1]) == size
    server.outgoing["event"].put(message(12, "py", "tool", "log-coordinator", b"x" * size))
    assert tool.wait("message py 12").split()[5] == str(size)
    finish(server, tool)


def a_receiver_that_does_not_read_congests():
    server, tool = connected("--queue", "200")
    server.reading.clear()
    busy = 0
    end = time.monotonic() + WAIT_SECONDS
    while busy == 0 and time.monotonic() < end:
        tool.command("flood py 100 50000")
        busy = int(tool.wait("flooded").split()[3])
        time.sleep(0.01)
    assert busy > 0, "never congested"
    server.reading.set()
    tool.command("send py 8 event-store last")
    assert server.receive("event")[0] == (1, 8)
    finish(server, tool)


def an_acceptor_that_refuses_is_dialled_again():
    server = Server(refuse=(grpc.StatusCode.UNKNOWN, "ErrTargetMismatch, not 100 %"))
    tool = Tool("tool", *ADDRESS)
    tool.command(f"peers py=127.0.0.1:{server.port}")
    line = tool.wait("event DIAL_FAILED py")
    assert "ErrTargetMismatch, not 100 %" in line, line
    server.refuse = None
    tool.wait("event PEER_CONNECTED py")
    finish(server, tool)


def a_restarted_acceptor_is_found_again():
    server, tool = connected()
    port = server.port
    server.stop()
    tool.wait("event PEER_DISCONNECTED py")
    tool.command("send py 45 maintainer-manager nobody")
    assert "NOT_READY" in tool.wait("sent")
    server = Server(port=port)
    tool.wait("event PEER_CONNECTED py")
    tool.command("send py 45 maintainer-manager again")
    assert server.receive("command")[-1] == (5, b"again")
    finish(server, tool)


def a_port_where_nobody_listens_is_named():
    tool, other = Tool("tool", *ADDRESS), Tool("other")
    other.close()
    tool.command(f"peers py=127.0.0.1:{other.port}")
    line = tool.wait("event DIAL_FAILED py")
    assert "127.0.0.1: connection refused" in line, line
    tool.close()


if __name__ == "__main__":
    run([the_handshake_is_that_of_the_reference, each_message_takes_the_lane_of_its_type,
         a_foreign_acceptor_that_writes_first_is_heard_at_once, big_messages_travel_both_ways,
         a_receiver_that_does_not_read_congests, an_acceptor_that_refuses_is_dialled_again,
         a_restarted_acceptor_is_found_again, a_port_where_nobody_listens_is_named])
