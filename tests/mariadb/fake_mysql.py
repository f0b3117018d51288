#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
Answers like a server of MySQL 8.4 that has one log file, as far as a reader of its log asks. No such server is at hand: what
this shows is that the reader asks for what MySQL has, and what it makes of the log; not that MySQL answers so.

    fake_mysql.py LOG [NAME=VALUE...]       prints its port; variables of the server may be set
    fake_mysql.py - STATEMENTS              is a sink instead, in which each table has a column j of type JSON: writes down
                                            the first statement that is prepared, and refuses it
"""

import os
import re
import socket
import struct
import sys
import threading
import zlib

LOG_NAME = b"bin.000001"
VARIABLES = {"log_bin": "1", "binlog_format": "ROW", "binlog_row_image": "FULL", "binlog_row_metadata": "FULL",
             "binlog_row_value_options": "", "binlog_checksum": "CRC32"}
HEADER = struct.Struct("<IBIIIH")


def lenenc(data):
    size = len(data)
    return (bytes([size]) if size < 251 else b"\xfc" + struct.pack("<H", size)) + data


def column(name):
    return (lenenc(b"def") + lenenc(b"") * 3 + lenenc(name) * 2 +
            b"\x0c" + struct.pack("<HIBHB", 45, 1024, 253, 0, 0) + b"\0\0")


def made_up(kind, body, next_pos=0):
    """An event that is not in the file."""
    head = HEADER.pack(0, kind, 1, HEADER.size + len(body) + 4, next_pos, 0x20)
    return head + body + struct.pack("<I", zlib.crc32(head + body))


class Client:
    def __init__(self, connection, log, variables, statements):
        self.connection, self.log, self.variables, self.sequence = connection, log, variables, 0
        self.statements = statements  # the name of a file: a sink

    def send(self, payload):
        while True:
            part, payload = payload[:0xffffff], payload[0xffffff:]
            self.connection.sendall(struct.pack("<I", len(part))[:3] + bytes([self.sequence]) + part)
            self.sequence = (self.sequence + 1) & 0xff
            if len(part) < 0xffffff:
                return

    def take(self, size):
        data = b""
        while len(data) < size:
            more = self.connection.recv(size - len(data))
            if not more:
                raise ConnectionError
            data += more
        return data

    def receive(self):
        head = self.take(4)
        self.sequence = (head[3] + 1) & 0xff
        return self.take(int.from_bytes(head[:3], "little"))

    def fine(self):
        self.send(b"\0\0\0\x02\0\0\0")

    def error(self, number, text):
        self.send(b"\xff" + struct.pack("<H", number) + b"#HY000" + text.encode())

    def rows(self, width, rows):
        self.send(bytes([width]))
        for i in range(width):
            self.send(column(b"c%d" % i))
        self.send(b"\xfe\0\0\x02\0")
        for row in rows:
            self.send(b"".join(lenenc(str(value).encode()) for value in row))
        self.send(b"\xfe\0\0\x02\0")

    def query(self, sql):
        setting = re.fullmatch(r"SELECT @@global\.(\w+)", sql)
        if setting and setting[1] in self.variables:
            self.rows(1, [[self.variables[setting[1]]]])
        elif setting:
            self.error(1193, f"Unknown system variable '{setting[1]}'")
        elif sql == "SHOW BINARY LOGS":
            self.rows(3, [[LOG_NAME.decode(), len(self.log), "No"]])
        elif sql == "SHOW BINARY LOG STATUS":
            self.rows(5, [[LOG_NAME.decode(), len(self.log), "", "", ""]])
        elif sql.startswith("SET "):
            self.fine()
        elif "information_schema" in sql:
            self.rows(3, [])
        elif "BINLOG_GTID_POS" in sql:
            self.error(1305, "FUNCTION BINLOG_GTID_POS does not exist")
        else:
            self.error(1064, "You have an error in your SQL syntax")

    def sink_query(self, sql):
        if "data_type = 'json'" in sql:
            self.rows(3, [["j", "1", "0"]])
        elif sql == "SELECT @@max_allowed_packet":
            self.rows(1, [[1 << 26]])
        elif sql.startswith("SELECT"):
            self.rows(sql.partition(" FROM ")[0].count(",") + 1, [])
        else:
            self.fine()

    def refuse_to_prepare(self, sql):
        with open(self.statements, "ab") as file:
            file.write(sql + b"\n")
        self.error(1064, "You have an error in your SQL syntax")

    def events(self):
        at = 4
        while at < len(self.log):
            size = HEADER.unpack_from(self.log, at)[3]
            yield at, self.log[at:at + size]
            at += size

    def dump(self, pos):
        places = dict(self.events())
        if pos not in places and pos != len(self.log):
            self.error(1236, "log event entry exceeded max_allowed_packet")
            return
        self.send(b"\0" + made_up(4, struct.pack("<Q", pos) + LOG_NAME))
        if pos > 4:
            body = places[4][HEADER.size:-4]
            self.send(b"\0" + made_up(15, body))
        for at, event in places.items():
            if at >= pos:
                self.send(b"\0" + event)
        while True:
            self.send(b"\0" + made_up(27, LOG_NAME, len(self.log)))
            self.connection.settimeout(0.05)
            try:
                if not self.connection.recv(1):
                    return
            except socket.timeout:
                self.connection.settimeout(None)

    def serve(self):
        # caps: long password, protocol 4.1, secure connection, plugins
        caps = 0x00000001 | 0x200 | 0x8000 | 0x80000
        self.send(b"\x0a8.4.3\0" + struct.pack("<I", 1) + b"12345678\0" + struct.pack("<HBHHB", caps & 0xffff, 45, 2, caps >> 16, 21) +
                  b"\0" * 10 + b"123456789012\0" + b"mysql_native_password\0")
        self.receive()
        self.fine()
        while True:
            command = self.receive()
            if command[0] == 1:
                return
            if command[0] == 3:
                sql = command[1:].decode("utf-8", "replace")
                (self.sink_query if self.statements else self.query)(sql)
            elif command[0] == 0x16 and self.statements:
                self.refuse_to_prepare(command[1:])
            elif command[0] == 0x12:
                self.dump(struct.unpack_from("<I", command, 1)[0])
            else:
                self.fine()

    def run(self):
        try:
            self.serve()
        except OSError:
            pass
        finally:
            self.connection.close()


def main():
    log, variables, statements = b"", VARIABLES, None
    if sys.argv[1] == "-":
        statements = sys.argv[2]
    else:
        with open(sys.argv[1], "rb") as file:
            log = file.read()
        variables = dict(VARIABLES, **dict(word.split("=", 1) for word in sys.argv[2:]))
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    parent = os.getppid()
    listener.settimeout(1)
    while os.getppid() == parent:  # whoever is killed leaves no server behind
        try:
            connection = listener.accept()[0]
        except socket.timeout:
            continue
        connection.settimeout(None)
        threading.Thread(target=Client(connection, log, variables, statements).run, daemon=True).start()


if __name__ == "__main__":
    main()
