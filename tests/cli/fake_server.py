# SPDX-License-Identifier: Apache-2.0
"""A cluster's API as far as sluice asks for it: what it answers is set by the test, from the same process."""

import http.server
import json
import threading


def node(name, number, **over):
    """One node as GET /api/v2/nodes shows it."""
    shown = {
        "id": f"{number:08x}-aaaa-4bbb-8ccc-dddddddddddd", "name": name, "address": "127.0.0.1:1",
        "version": "v8.5.4-sluice.0.1.0", "is_owner": False, "is_sluice": True, "liveness": "alive",
        "is_draining": False, "maintainers": 1, "dispatchers": 3340, "readers": 1, "unflushed_rows": 0,
        "silent_ms": 200, "started_at": "2026-11-23T09:00:00.000Z", "node_epoch": 7, "capabilities": 15,
    }
    shown.update(over)
    return shown


def drain(phase, left=0, **over):
    """One drain as the API shows it; left dispatchers of 1000."""
    safe = phase in ("safe", "done")
    shown = {
        "id": "9af0c1d2e3f40516", "node": {"id": "00000002-aaaa-4bbb-8ccc-dddddddddddd", "name": "n2"},
        "phase": phase, "safe_to_stop": safe, "proof": "full",
        "blocker": None if safe or phase in ("cancelled", "failed") else {
            "kind": "DISPATCHERS_LEFT", "text": "dispatchers are still on the node", "detail": "feed orders"},
        "remaining": {"maintainers": 1 if left else 0, "operators": 0, "dispatchers": left, "moves": min(left, 40),
                      "feeds_unsettled": 0, "peers_unacked": 0, "stuck": 0},
        "dispatchers_at_start": 1000, "moves_done": 1000 - left, "lag_ms_worst": 340, "lag_budget_ms": 5000,
        "created_at": "2026-11-23T18:00:00.000Z", "deadline_at": None, "ended_at": None, "age_ms": 12000,
        "since_progress_ms": 100, "eta_ms": None, "late": False, "cancelled": phase == "cancelled", "stop": False,
        "cancel_at_deadline": False, "reason": "kernel", "actor": "ops", "epoch": 3, "slowest": [], "history": [],
    }
    shown.update(over)
    return shown


class FakeServer:
    """answer(method, path, body) -> (status, object) or, for a stream, an iterator of objects; None: hang up."""

    def __init__(self, answer):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def reply(self, status, body):
                data = json.dumps(body).encode() if not isinstance(body, bytes) else body
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def stream(self, events):
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Connection", "close")
                self.end_headers()
                self.close_connection = True
                for event in events:
                    self.wfile.write(b"event: drain\ndata: " + json.dumps(event).encode() + b"\n\n")
                    self.wfile.flush()

            def handle_any(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                outer.seen.append((self.command, self.path, body, dict(self.headers)))
                result = answer(self.command, self.path, body)
                try:
                    if result is None:
                        self.close_connection = True
                    elif isinstance(result, tuple):
                        self.reply(*result)
                    else:
                        self.stream(result)
                except OSError:
                    self.close_connection = True

            do_GET = do_POST = do_PUT = do_DELETE = handle_any

        self.seen = []
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Cluster:
    """Routes of one fake node: nodes, and one drain whose states follow each other, one per look at it."""

    def __init__(self, states=(), nodes=None, streams=True, start=None):
        self.nodes = nodes if nodes is not None else [node("n1", 1, is_owner=True), node("n2", 2), node("n3", 3)]
        self.states = list(states)
        self.at = 0
        self.streams = streams
        self.start = start
        self.lock = threading.Lock()
        self.hold = threading.Event()
        self.routes = {}

    def next(self):
        with self.lock:
            state = self.states[min(self.at, len(self.states) - 1)]
            self.at += 1
            return state

    def events(self):
        while True:
            state = self.next()
            yield state
            if state["phase"] in ("done", "cancelled", "failed"):
                return
            if self.at >= len(self.states):
                self.hold.wait(1)
            else:
                self.hold.wait(0.05)

    def __call__(self, method, path, body):
        bare = path.split("?")[0]
        if (method, bare) in self.routes:
            route = self.routes[method, bare]
            return route(body) if callable(route) else route
        if bare == "/api/v2/nodes":
            return 200, {"total": len(self.nodes), "items": self.nodes}
        if (method, bare) == ("POST", "/api/v2/drains"):
            return self.start(body) if self.start else (202, self.next())
        if bare == "/api/v2/drains":
            shown = [self.states[min(self.at, len(self.states) - 1)]] if self.states else []
            return 200, {"total": len(shown), "items": shown}
        if bare.endswith("/events"):
            return self.events() if self.streams else (404, {"error_code": "", "error_msg": "no such thing"})
        if bare.startswith("/api/v2/drains/"):
            return 200, self.next()
        return 404, {"error_code": "NOT_FOUND", "error_msg": "no such route in the fake", "remedy": ""}
