# SPDX-License-Identifier: Apache-2.0
"""The running server answers every documented route in the documented shape, and no other."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from cluster import Cluster, main, tests_of, wait  # noqa: E402

FEED = {"changefeed_id": "orders", "source_uri": "gen://?tables=5&rows_per_s=50", "sink_uri": "blackhole://"}
BODIES = {
    "CaptureDrain": {"capture_id": "nobody"}, "LogLevel": {"log_level": "info"}, "LogRedact": {"redact_info_log": "on"},
    "Anything": {}, "FeedConfig": dict(FEED, changefeed_id="second"), "FeedConfigV1": dict(FEED, changefeed_id="third"),
    "FeedResume": {}, "MoveTableV1": {"table_id": 1, "capture_id": "n2"}, "DrainStart": {"node": "n2", "reason": "test"},
    "Undrain": {"reason": "test"}, "FeedMove": {"node": "n2"}, "FeedResync": {"table": "s.t"},
    "FeedRepoint": {"source_uri": "mysql://db/"},
    "ClusterStop": {"cancel": True},
}
# What changes something comes after what looks at it, and in an order in which it can work.
ORDER = ["/resume", "/pause", "put /api/v1/changefeeds", "put /api/v2/changefeeds", "owner/resign", "post /api/v2/drains",
         "get /api/v2/drains/", "drain", "delete /api/v1/changefeeds", "delete /api/v2/changefeeds"]
NOT_CALLED = {("post", "/api/v2/stop"), ("get", "/api/v2/drains/{drain}/events")}


def ask(node, method, path, body=None):
    """Status, content type and text of an answer, whatever it is."""
    import http.client
    connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=60)
    text = None if body is None else json.dumps(body)
    connection.request(method.upper(), path, text, {"Content-Type": "application/json"} if text else {})
    answer = connection.getresponse()
    result = answer.status, answer.getheader("Content-Type") or "", answer.read().decode()
    connection.close()
    return result


def check(schema, value, doc, where):
    """What is wrong with a value, or nothing: the part of JSON Schema that the document uses."""
    if "$ref" in schema:
        return check(doc["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]], value, doc, where)
    if "anyOf" in schema:
        wrong = [check(one, value, doc, where) for one in schema["anyOf"]]
        return min(wrong, key=len)
    types = schema.get("type")
    if types is None:
        return []
    kinds = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list, "object": dict,
             "null": type(None)}
    types = types if isinstance(types, list) else [types]
    if not any(isinstance(value, kinds[t]) and not (t in ("integer", "number") and isinstance(value, bool)) for t in types):
        return [f"{where}: {value!r} is not {types}"]
    if isinstance(value, list):
        return [w for i, v in enumerate(value) for w in check(schema["items"], v, doc, f"{where}[{i}]")]
    if isinstance(value, dict):
        known = schema.get("properties", {})
        wrong = [f"{where}: {name} is missing" for name in schema.get("required", []) if name not in value]
        if known:
            wrong += [f"{where}: {name} is not documented" for name in value if name not in known]
        return wrong + [w for name, v in value.items() if name in known for w in check(known[name], v, doc, f"{where}.{name}")]
    return []


def fill(path):
    return path.replace("{feed}", "orders").replace("{node}", "n2").replace("{drain}", "n2").replace("{file}", "app.js")


def rank(route):
    return next((i + 1 for i, words in enumerate(ORDER) if words in f"{route[0]} {route[1]}"), 0)


def call_one(node, doc, method, path, operation):
    body = None
    if "requestBody" in operation:
        body = BODIES[operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]]
    if method == "put" and "changefeeds" in path:
        body = {"target_ts": 0}
    query = "?tableID=1&targetNodeID=n2" if "move_table" in path else ""
    status, kind, text = ask(node, method, fill(path) + query, body)
    where = f"{method.upper()} {path} ({status})"
    assert not (status == 404 and text.startswith("404 page")), f"{where} is documented and not there"
    answer = operation["responses"].get(str(status), operation["responses"]["default"])
    if text == "null" and method == "delete":
        return status, []  # removing what is not there
    if "content" not in answer:
        return status, [] if text == "" else [f"{where}: a body where none is documented"]
    media, content = next(iter(answer["content"].items()))
    if not kind.startswith(media.split("/")[0]):
        return status, [f"{where}: {kind} instead of {media}"]
    if media != "application/json":
        return status, []
    if str(status) not in operation["responses"]:
        content = {"schema": {"$ref": "#/components/schemas/" + ("Error" if "remedy" in text else "ReferenceError")}}
        return status, [] if '"drain"' in text else check(content["schema"], json.loads(text), doc, where)
    return status, check(content["schema"], json.loads(text), doc, where)


def test_every_documented_route_answers_in_its_shape():
    with Cluster(2, lease_ttl="15s") as c:
        c.wait_formed()
        node = c.owner()
        assert ask(node, "post", "/api/v2/changefeeds", FEED)[0] == 200
        wait(lambda: ask(node, "get", "/api/v2/changefeeds/orders/tables")[0] == 200, "tables of the feed")
        doc = json.loads(ask(node, "get", "/api/v2/openapi.json")[2])
        routes = [(m, p, o) for p, methods in doc["paths"].items() for m, o in methods.items() if (m, p) not in NOT_CALLED]
        routes.sort(key=rank)
        assert len(routes) > 60
        wrong, refused = [], []
        for method, path, operation in routes:
            status, found = call_one(c.owner(), doc, method, path, operation)
            wrong += found
            if status >= 300:
                refused.append(f"{method} {path} {status}")
            if "resign" in path:
                wait(lambda: c.owner() and ask(c.owner(), "get", "/api/v2/changefeeds")[0] == 200, "the next coordinator")
        assert not wrong, "\n".join(wrong)
        assert len(refused) < 18, f"the test says little when so much is refused: {refused}"


def test_what_is_not_documented_is_not_there():
    with Cluster(1, lease_ttl="15s") as c:
        c.wait_formed()
        node = c.owner()
        doc = json.loads(ask(node, "get", "/api/v2/openapi.json")[2])
        for path in list(doc["paths"]) + ["/", "/api", "/api/v3/status", "/debug/pprof/heap", "/ui/../app.js"]:
            for method in ("get", "post", "put", "delete", "patch"):
                if method in doc["paths"].get(path, {}) or (path == "/ui/../app.js" and method == "get"):
                    continue
                status, _, _ = ask(node, method, fill(path))
                assert status in (404, 405, 501), f"{method} {path} gives {status} and is not documented"


if __name__ == "__main__":
    sys.exit(main(tests_of(globals())))
