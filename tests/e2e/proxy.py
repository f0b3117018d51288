# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy in this process, for networks that break. Standard library only."""

import selectors
import socket
import threading


class Proxy:
    """
    Listens at `address` at once; connections are refused until `to(port)` says where they go. cut(): those that run are
    silent (nothing is passed on, nothing is closed) and new ones wait; mend(): all are reset, new ones go through.
    delay_s: how long each piece of data (64 KiB at most) is held back. client_bytes_max: a client that says more than that
    is cut off; None: never.
    """

    def __init__(self, host="127.0.0.1"):
        self.listener = socket.create_server((host, 0))
        self.address = "%s:%d" % self.listener.getsockname()
        self.target, self.is_cut, self.is_closed, self.delay_s, self.client_bytes_max = None, False, False, 0.0, None
        self.lock, self.pairs = threading.Lock(), []
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def to(self, port):
        self.target = port

    def cut(self):
        self.is_cut = True

    def mend(self):
        with self.lock:
            for pair in self.pairs:
                for end in pair:
                    self._shut(end)
            self.is_cut = False

    def close(self):
        self.is_closed = True
        self.mend()
        self._shut(self.listener)
        self.thread.join()

    @staticmethod
    def _shut(end):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def _run(self):
        while not self.is_closed:
            try:
                client, _ = self.listener.accept()
            except OSError:
                break
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()
        self.listener.close()

    def _serve(self, client):
        try:
            server = socket.create_connection(("127.0.0.1", self.target or 0), 10)
        except OSError:
            client.close()
            return
        pair = (client, server)
        with self.lock:
            self.pairs.append(pair)
        try:
            self._pump(pair)
        except OSError:
            pass
        with self.lock:
            self.pairs.remove(pair)
            for end in pair:
                end.close()

    def _pump(self, pair):
        client, server = pair
        said = 0
        with selectors.DefaultSelector() as ready:
            ready.register(client, selectors.EVENT_READ, server)
            ready.register(server, selectors.EVENT_READ, client)
            while True:
                for key, _ in ready.select():
                    data = key.fileobj.recv(65536)
                    said += len(data) if key.fileobj is client else 0
                    if not data or (self.client_bytes_max is not None and said > self.client_bytes_max):
                        return
                    if self.delay_s:
                        threading.Event().wait(self.delay_s)
                    while self.is_cut:  # ends with mend(), which resets the connection
                        threading.Event().wait(0.02)
                    key.data.sendall(data)
