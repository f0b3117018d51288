# SPDX-License-Identifier: Apache-2.0
"""grpcio dials our transport, as a foreign node with a smaller address would."""

import http.client
import socket
import time

import grpc
from interop import METHOD, Stream, Tool, handshake, insecure, message, parse, run

PEER = "py=0.0.0.1:1"  # smaller than any 127.0.0.1:port, so it dials


class Connected:
    """A tool and both lanes of a foreign peer that is connected to it."""

    def __init__(self, *options):
        self.tool = Tool("tool", *options)
        self.tool.command(f"peers {PEER}")
        self.channel = insecure(self.tool.port)
        self.event, self.command = Stream(self.channel), Stream(self.channel)
        self.event.send(handshake("py", "tool", "event"))
        self.command.send(handshake("py", "tool", "command"))
        self.tool.wait("event PEER_CONNECTED py")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.channel.close()
        self.tool.close()


def refused(first, *, method_error=None, **options):
    tool = Tool("tool")
    tool.command(f"peers {PEER}")
    tool.wait("peers OK")
    with insecure(tool.port) as channel:
        stream = Stream(channel, **options)
        for data in first if isinstance(first, list) else [first]:
            stream.send(data)
        status = stream.wait_end()
    tool.close()
    return status


def messages_travel_both_ways_in_order():
    with Connected() as c:
        for i in range(200):
            c.command.send(message(42, "py", "tool", "coordinator", b"%d" % i))
        for i in range(200):
            assert c.tool.wait("message py 42").split()[5] == str(len(str(i)))
        c.tool.command("send py 45 maintainer-manager hello")
        fields = parse(c.command.receive())
        assert fields == [(1, 45), (2, b"tool"), (3, b"py"), (4, b"maintainer-manager"), (5, b"hello")], fields
        c.tool.command("send py 12 log-coordinator #0")
        assert parse(c.event.receive())[-1] == (5, b""), "an empty payload is still one element"


def the_bytes_are_those_of_the_vectors():
    with Connected() as c:
        c.tool.command("send py 8 event-store #0")
        assert c.event.receive() == bytes.fromhex("08081204746f6f6c1a027079220b6576656e742d73746f72652a00")


def big_messages_travel_both_ways():
    size = 40 << 20
    with Connected() as c:
        c.command.send(message(42, "py", "tool", "coordinator", b"x" * size))
        assert c.tool.wait("message py 42").split()[5] == str(size)
        c.tool.command(f"send py 42 coordinator #{size}")
        assert len(parse(c.command.receive())[-1][1]) == size


def many_messages_in_little_time():
    with Connected() as c:
        c.tool.command("quiet")
        for _ in range(20000):
            c.command.send(message(42, "py", "tool", "coordinator", b"y" * 60))
        end = time.monotonic() + 30
        while True:
            c.tool.command("stats")
            if "received=20000 " in c.tool.wait("stats "):
                break
            assert time.monotonic() < end
            time.sleep(0.05)


def what_is_not_a_handshake_is_refused():
    code, text = refused(message(42, "py", "tool", "coordinator", b""))
    assert code == grpc.StatusCode.UNKNOWN and "type 36" in text, (code, text)
    code, text = refused(message(36, "py", "tool", ""))
    assert code == grpc.StatusCode.UNKNOWN and "no payload" in text, (code, text)
    code, text = refused(message(36, "py", "tool", "", b"{nonsense"))
    assert code == grpc.StatusCode.UNKNOWN and "JSON" in text, (code, text)
    code, text = refused(b"\xff\xff\xff\xff garbage")
    assert code == grpc.StatusCode.UNKNOWN, (code, text)


def a_handshake_for_another_node_is_a_target_mismatch():
    code, text = refused(handshake("py", "old-id", "event"))
    assert code == grpc.StatusCode.UNKNOWN and "TargetMismatch" in text, (code, text)


def a_stranger_is_refused_after_a_moment():
    begun = time.monotonic()
    code, text = refused(handshake("nobody", "tool", "event"))
    assert code == grpc.StatusCode.UNKNOWN and "not a member" in text, (code, text)
    assert 0.8 < time.monotonic() - begun < 10


def compression_is_refused_in_words():
    code, text = refused(handshake("py", "tool", "event"), compression=grpc.Compression.Gzip)
    assert code == grpc.StatusCode.UNIMPLEMENTED and "uncompressed" in text, (code, text)


def another_method_is_unimplemented():
    tool = Tool("tool")
    with insecure(tool.port) as channel:
        call = channel.unary_unary("/proto.MessageService/other", request_serializer=None, response_deserializer=None)
        try:
            call(b"x", timeout=20)
            raise AssertionError("answered")
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.UNIMPLEMENTED, error.code()
            assert METHOD in error.details()
    tool.close()


def a_newer_stream_cancels_the_older():
    with Connected() as c:
        newer = Stream(c.channel)
        newer.send(handshake("py", "tool", "command"))
        code, _ = c.command.wait_end()
        assert code == grpc.StatusCode.CANCELLED, code
        c.tool.wait("event PEER_CONNECTED py")
        newer.send(message(42, "py", "tool", "coordinator", b"1"))
        c.tool.wait("message py 42")


def a_deadline_of_the_client_is_kept():
    tool = Tool("tool")
    with insecure(tool.port) as channel:
        code, _ = Stream(channel, timeout=0.2).wait_end()
        assert code == grpc.StatusCode.DEADLINE_EXCEEDED, code
    tool.close()


def a_slow_receiver_holds_the_sender_back():
    with Connected() as c:
        c.tool.command("hold")
        sent = 0
        for _ in range(400):
            c.command.send(message(42, "py", "tool", "coordinator", b"z" * 50000))
            sent += 1
        time.sleep(0.5)
        c.tool.command("stats")
        assert "received=0 " in c.tool.wait("stats ")
        c.tool.command("resume")
        for _ in range(sent):
            c.tool.wait("message py 42")


def keepalive_pings_at_the_allowed_pace_are_answered():
    tool = Tool("tool")
    tool.command(f"peers {PEER}")
    with insecure(tool.port, ("grpc.keepalive_time_ms", 20000), ("grpc.keepalive_timeout_ms", 1000),
                  ("grpc.http2.max_pings_without_data", 0)) as channel:
        stream = Stream(channel)
        stream.send(handshake("py", "tool", "event"))
        time.sleep(1)
        assert not stream.ended.is_set()
    tool.close()


def too_many_pings_end_the_connection():
    tool = Tool("tool")
    tool.command(f"peers {PEER}")
    pings = b"".join(b"\x00\x00\x08\x06\x00\x00\x00\x00\x00" + bytes([i] * 8) for i in range(6))
    with socket.create_connection(("127.0.0.1", tool.port)) as s:
        s.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + pings)
        got = b""
        while piece := s.recv(4096):
            got += piece
    assert b"too_many_pings" in got, got
    tool.wait("event CONNECTION_REFUSED")
    tool.close()


def http_is_answered_on_the_same_port():
    with Connected() as c:
        connection = http.client.HTTPConnection("127.0.0.1", c.tool.port, timeout=20)
        connection.request("GET", "/api/v2/status")
        answer = connection.getresponse()
        assert answer.status == 200 and answer.read() == b"hello"


def garbage_connections_do_no_harm():
    with Connected() as c:
        for garbage in (b"\x00" * 100, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 100,
                        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x04\x08\x00\x00\x00\x00\x00\x7f\xff\xff\xff" * 3,
                        b"PRI nonsense", b"\x16\x03\x01\x02\x00\x01"):
            with socket.create_connection(("127.0.0.1", c.tool.port)) as s:
                s.settimeout(20)
                s.sendall(garbage)
                s.shutdown(socket.SHUT_WR)
                try:
                    while s.recv(4096):
                        pass
                except ConnectionResetError:
                    pass
        c.command.send(message(42, "py", "tool", "coordinator", b"1"))
        c.tool.wait("message py 42")


def a_node_that_stops_says_so():
    c = Connected()
    c.tool.command("close")
    code, _ = c.command.wait_end()
    assert code == grpc.StatusCode.UNAVAILABLE, code
    c.channel.close()
    c.tool.close()


run([messages_travel_both_ways_in_order, the_bytes_are_those_of_the_vectors, big_messages_travel_both_ways,
     many_messages_in_little_time, what_is_not_a_handshake_is_refused, a_handshake_for_another_node_is_a_target_mismatch,
     a_stranger_is_refused_after_a_moment, compression_is_refused_in_words, another_method_is_unimplemented,
     a_newer_stream_cancels_the_older, a_deadline_of_the_client_is_kept, a_slow_receiver_holds_the_sender_back,
     keepalive_pings_at_the_allowed_pace_are_answered, too_many_pings_end_the_connection,
     http_is_answered_on_the_same_port, garbage_connections_do_no_harm, a_node_that_stops_says_so])
