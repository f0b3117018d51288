# SPDX-License-Identifier: Apache-2.0
"""Mutual TLS between our transport and grpcio, HTTPS on the same port, and who is not let in."""

import http.client
import shutil
import ssl
import tempfile

import grpc
from interop import Certificates, Stream, Tool, handshake, message, run
from server_test import ADDRESS, Server

folder = tempfile.mkdtemp(prefix="sl_interop_")
certs = Certificates(folder)
certs.authority("ca")
certs.authority("other")
certs.issue("tool", "ca", "tool-node")
certs.issue("py", "ca", "py-node")
certs.issue("guest", "ca", "guest")
certs.issue("stranger", "other", "py-node")
ALLOWED = ["--cn", "py-node"]


def acceptor():
    tool = Tool("tool", *certs.options("tool", "ca", *ALLOWED))
    tool.command("peers py=0.0.0.1:1")
    return tool


def dial(tool, name, authority="ca"):
    channel = certs.channel(tool.port, name, authority)
    event, command = Stream(channel), Stream(channel)
    event.send(handshake("py", "tool", "event"))
    command.send(handshake("py", "tool", "command"))
    return channel, event, command


def a_client_with_an_allowed_name_connects():
    tool = acceptor()
    channel, _, command = dial(tool, "py")
    tool.wait("event PEER_CONNECTED py")
    command.send(message(42, "py", "tool", "coordinator", b"x" * 1000000))
    assert tool.wait("message py 42").split()[5] == "1000000"
    channel.close()
    tool.close()


def refused(name, authority, words):
    tool = acceptor()
    channel, event, _ = dial(tool, name, authority)
    line = tool.wait("listener TLS_REFUSED")
    assert words in line, line
    code, _ = event.wait_end()
    assert code == grpc.StatusCode.UNAVAILABLE, code
    channel.close()
    tool.close()


def a_name_that_is_not_allowed_is_refused():
    refused("guest", "ca", "add it to the allowed names")


def a_client_of_another_authority_is_refused():
    refused("stranger", "ca", "certificate is not accepted")


def a_client_without_a_certificate_is_refused():
    refused(None, "ca", "no certificate")


def credentials(name, authority):
    return grpc.ssl_server_credentials([(certs.read(name, ".key"), certs.read(name, ".pem"))],
                                       certs.read(authority, ".pem"), True)


def we_dial_a_server_over_mutual_tls():
    server = Server(credentials=credentials("py", "ca"))
    tool = Tool("tool", *ADDRESS, *certs.options("tool"))
    tool.command(f"peers py=127.0.0.1:{server.port}")
    tool.wait("event PEER_CONNECTED py")
    tool.command("send py 45 maintainer-manager hello")
    assert server.receive("command")[-1] == (5, b"hello")
    tool.close()
    server.stop()


def a_server_of_another_authority_is_refused():
    server = Server(credentials=credentials("stranger", "ca"))
    tool = Tool("tool", *ADDRESS, *certs.options("tool"))
    tool.command(f"peers py=127.0.0.1:{server.port}")
    line = tool.wait("event DIAL_FAILED py")
    assert "server's certificate is not accepted" in line and "check CA" in line, line
    tool.close()
    server.stop()


def https_reaches_the_http_server_on_the_same_port():
    tool = acceptor()
    context = ssl.create_default_context(cafile=certs.path("ca", ".pem"))
    context.load_cert_chain(certs.path("py", ".pem"), certs.path("py", ".key"))
    context.set_alpn_protocols(["h2", "http/1.1"])
    connection = http.client.HTTPSConnection("127.0.0.1", tool.port, context=context, timeout=20)
    connection.request("GET", "/")
    answer = connection.getresponse()
    assert answer.status == 200 and answer.read() == b"hello"
    assert connection.sock is None or connection.sock.selected_alpn_protocol() == "http/1.1"
    assert "tls=1 client=py-node" in tool.wait("http ")
    connection.close()
    tool.close()


def new_certificates_are_used_after_a_reload():
    certs.issue("changing", "ca", "first")
    tool = Tool("tool", *certs.options("changing"))

    def name():
        context = ssl.create_default_context(cafile=certs.path("ca", ".pem"))
        connection = http.client.HTTPSConnection("127.0.0.1", tool.port, context=context, timeout=20)
        connection.connect()
        subject = dict(pair[0] for pair in connection.sock.getpeercert()["subject"])
        connection.close()
        return subject["commonName"]

    assert name() == "first"
    certs.issue("changing", "ca", "second")
    assert name() == "first"
    tool.command("reload")
    assert "reloaded OK" in tool.wait("reloaded")
    assert name() == "second"
    with open(certs.path("changing", ".key"), "w") as file:
        file.write("not a key")
    tool.command("reload")
    line = tool.wait("reloaded")
    assert "BAD_CONFIG" in line and "changing.key" in line and "not a key" not in line, line
    assert name() == "second"
    tool.close()


try:
    run([a_client_with_an_allowed_name_connects, a_name_that_is_not_allowed_is_refused,
         a_client_of_another_authority_is_refused, a_client_without_a_certificate_is_refused,
         we_dial_a_server_over_mutual_tls, a_server_of_another_authority_is_refused,
         https_reaches_the_http_server_on_the_same_port, new_certificates_are_used_after_a_reload])
finally:
    shutil.rmtree(folder)
