# SPDX-License-Identifier: Apache-2.0
"""What the interop tests share: the program under test, the outer message by hand, certificates."""

import os
import queue
import subprocess
import sys
import threading
import time

import grpc

METHOD = "/proto.MessageService/streamMessages"
WAIT_SECONDS = 30
OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class Tool:
    """One peer_tool: commands in, lines out."""

    def __init__(self, node, *options, host="127.0.0.1"):
        program = os.path.join(os.environ["SL_BUILD_DIR"], "tests", "peer_tool")
        self.node = node
        self.process = subprocess.Popen([program, node, host, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)
        self.lines = queue.Queue()
        self.said = []
        threading.Thread(target=self._read, daemon=True).start()
        self.port = int(self.wait("port ").split()[1])

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def command(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def wait(self, start):
        """The next line that begins so; the ones before it are dropped."""
        end = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                line = self.lines.get(timeout=max(0.01, end - time.monotonic()))
            except queue.Empty:
                line = None
            if line is None:
                raise AssertionError(f"{self.node} never said {start!r}, but: {self.said[-12:]}")
            self.said.append(line)
            if line.startswith(start):
                return line

    def close(self):
        """Ends it as a user would; a report of a sanitizer is an exit status too."""
        if self.process.poll() is None:
            self.process.stdin.close()
        status = self.process.wait(WAIT_SECONDS)
        assert status == 0, f"{self.node} ended with {status}: {self.said[-20:]} {self._rest()}"

    def _rest(self):
        rest = []
        while not self.lines.empty():
            rest.append(self.lines.get())
        return rest[-40:]


# ---- the outer message: 1 type, 2 from, 3 to, 4 topic, 5 payload ----

def varint(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7f | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def message(kind, sender, target, topic, *payloads):
    out = varint(1 << 3) + varint(kind) + field(2, sender.encode()) + field(3, target.encode())
    if topic:
        out += field(4, topic.encode())
    return out + b"".join(field(5, payload) for payload in payloads)


def handshake(sender, target, lane):
    return message(36, sender, target, "", b'{"Version":1,"Timestamp":1700000000,"StreamType":"%s"}' % lane.encode())


def parse(data):
    """[(number, value)] of a flat message."""
    fields, at = [], 0

    def read():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = read()
        if key & 7 == 0:
            fields.append((key >> 3, read()))
        else:
            size = read()
            fields.append((key >> 3, data[at:at + size]))
            at += size
    return fields


# ---- gRPC without generated code ----

class Stream:
    """One call of streamMessages: send() and the messages that came."""

    def __init__(self, channel, **options):
        self.outgoing = queue.Queue()
        self.incoming = queue.Queue()
        self.status = None
        self.ended = threading.Event()
        call = channel.stream_stream(METHOD, request_serializer=None, response_deserializer=None)
        self.call = call(iter(self.outgoing.get, None), **options)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            for data in self.call:
                self.incoming.put(data)
        except grpc.RpcError:
            pass
        self.status = (self.call.code(), self.call.details())
        self.ended.set()

    def send(self, data):
        self.outgoing.put(data)

    def receive(self):
        return self.incoming.get(timeout=WAIT_SECONDS)

    def wait_end(self):
        assert self.ended.wait(WAIT_SECONDS), "the call never ended"
        return self.status

    def end(self):
        self.outgoing.put(None)


def insecure(port, *options):
    return grpc.insecure_channel(f"127.0.0.1:{port}", options=OPTIONS + list(options))


# ---- certificates ----

def run_openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Certificates:
    def __init__(self, folder):
        self.folder = folder

    def path(self, name, suffix):
        return os.path.join(self.folder, name + suffix)

    def authority(self, name):
        run_openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", f"/CN={name}", "-keyout", self.path(name, ".key"), "-out", self.path(name, ".pem"))

    def issue(self, name, authority, common_name):
        request, extensions = self.path(name, ".csr"), self.path(name, ".ext")
        with open(extensions, "w") as file:
            file.write("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        run_openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={common_name}",
                    "-keyout", self.path(name, ".key"), "-out", request)
        run_openssl("x509", "-req", "-in", request, "-CA", self.path(authority, ".pem"),
                    "-CAkey", self.path(authority, ".key"), "-CAcreateserial", "-days", "2", "-extfile", extensions,
                    "-out", self.path(name, ".pem"))

    def read(self, name, suffix):
        with open(self.path(name, suffix), "rb") as file:
            return file.read()

    def options(self, name, authority="ca", *more):
        return ["--ca", self.path(authority, ".pem"), "--cert", self.path(name, ".pem"), "--key",
                self.path(name, ".key"), *more]

    def channel(self, port, name, authority="ca"):
        credentials = grpc.ssl_channel_credentials(
            self.read(authority, ".pem"), self.read(name, ".key") if name else None,
            self.read(name, ".pem") if name else None)
        return grpc.secure_channel(f"127.0.0.1:{port}", credentials, options=OPTIONS)


def run(tests):
    """Runs each function; names the ones that failed."""
    failed = 0
    for test in tests:
        begun = time.monotonic()
        try:
            test()
            print(f"ok {test.__name__} {time.monotonic() - begun:.2f} s", flush=True)
        except Exception as error:  # one failure must not hide the others
            failed += 1
            print(f"FAILED {test.__name__}: {type(error).__name__}: {error}", flush=True)
    sys.exit(1 if failed else 0)
