"""The checks of check.py find what is wrong. MCP_HTTP_SCHEMA names the folder of the schemas."""

import copy
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from check import check, read_schemas
from headers import META, Wrong, decode

FOLDER = Path(os.environ["MCP_HTTP_SCHEMA"])
SCHEMAS = read_schemas(FOLDER)
CONTENT = {"accept": ["application/json, text/event-stream"], "content-type": ["application/json"]}
SESSION = {**CONTENT, "mcp-session-id": [""], "mcp-protocol-version": ["2025-11-25"]}
STATELESS = {
    **CONTENT,
    "mcp-protocol-version": ["2026-07-28"],
    "mcp-method": ["tools/call"],
    "mcp-name": ["=?base64?w6ljaG8=?="],
    "mcp-param-region": ["eu"],
    "mcp-param-count": ["7"],
}
CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {
        "_meta": {
            f"{META}protocolVersion": "2026-07-28",
            f"{META}clientInfo": {"name": "test", "version": "1"},
            f"{META}clientCapabilities": {},
        },
        "name": "écho",
        "arguments": {"region": "eu", "nested": {"count": 7}},
    },
}


def request(method, params=None, **more):
    params = {} if params is None else {"params": params}
    return {"jsonrpc": "2.0", "id": 1, "method": method, **params, **more}


def notification(method, params):
    return {"jsonrpc": "2.0", "method": method, "params": params}


def record(body, headers=SESSION, revision="2025-11-25", asked=None):
    body = body if isinstance(body, str) else json.dumps(body)
    return {"body": body, "headers": headers, "revision": revision, "asked": asked}


def changed(value, change):
    value = copy.deepcopy(value)
    change(value)
    return value


INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}
CANCELLED = notification("notifications/cancelled", {"requestId": 1})
ROOTS = {"jsonrpc": "2.0", "id": "q", "result": {"roots": []}}
REFUSAL = {"jsonrpc": "2.0", "id": "q", "error": {"code": -1, "message": "no"}}


class Right(unittest.TestCase):
    def test_what_is_seen(self):
        rows = [
            (record(request("initialize", INITIALIZE), CONTENT, None), "InitializeRequest"),
            (record(request("ping")), "PingRequest"),
            (record(CANCELLED), "CancelledNotification"),
            (record(ROOTS, asked="roots/list"), "ListRootsResult"),
            (record({**ROOTS, "id": 1.5}, asked="roots/list"), "ListRootsResult"),
            (record(REFUSAL), "JSONRPCErrorResponse"),
            (record(request("no/such", {"any": 1})), "JSONRPCRequest"),
            (record(CALL, STATELESS, None), "CallToolRequest with mcp-param"),
        ]
        for it, name in rows:
            self.assertIn(name, [name for _, name in check(it, SCHEMAS)], it)

    def test_before_a_revision_is_negotiated_it_is_right_in_all(self):
        seen = check(record({**ROOTS, "result": {}}, CONTENT, None, "ping"), SCHEMAS)
        self.assertEqual({revision for revision, _ in seen}, {*SCHEMAS} - {"2026-07-28"})

    def test_the_encodings_of_the_specification(self):
        rows = {
            "us-west1": "us-west1",
            "=?base64?SGVsbG8sIOS4lueVjA==?=": "Hello, 世界",
            "=?base64?IHBhZGRlZCA=?=": " padded ",
            "=?base64?bGluZTEKbGluZTI=?=": "line1\nline2",
            "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=": "=?base64?literal?=",
        }
        for value, text in rows.items():
            self.assertEqual(decode(value), text)


class WrongMessages(unittest.TestCase):
    def wrong(self, why, it):
        with self.subTest(why):
            self.assertRaisesRegex(Wrong, why, check, it, SCHEMAS)

    def test_envelopes(self):
        self.wrong("no JSON", record("{"))
        self.wrong("is no JSON", record('{"jsonrpc":"2.0","id":1,"method":"x","params":{"n":NaN}}'))
        self.wrong("twice", record('{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}'))
        self.wrong("no object", record([request("ping")]))
        self.wrong("too much", record(request("ping", session="s1")))
        self.wrong("without {'jsonrpc'}", record({"id": 1, "method": "ping"}))
        self.wrong("without {'id'}", record({"jsonrpc": "2.0", "error": REFUSAL["error"]}))
        self.wrong("no JSONRPCRequest", record(request("ping", jsonrpc="1.0")))
        self.wrong("no JSONRPCRequest", record(request("no/such", id=None)))
        self.wrong("no JSONRPCRequest", record(request("no/such", [1])))
        error = {"code": "x", "message": "no"}
        self.wrong("no JSONRPCErrorResponse", record({**REFUSAL, "error": error}))
        self.wrong("no JSONRPCResultResponse", record({**ROOTS, "result": []}))

    def test_definitions_in_each_revision(self):
        bad = {
            "CallToolRequest": request("tools/call", {"arguments": {}}),
            "CancelledNotification": notification("notifications/cancelled", {"requestId": None}),
            "InitializedNotification": notification("notifications/initialized", 1),
            "SetLevelRequest": request("logging/setLevel", {"level": "loud"}),
            "SubscribeRequest": request("resources/subscribe", {"url": "a:"}),
        }
        answer = {**ROOTS, "result": {"action": "accept"}}
        asked = {"roots/list": "ListRoots", "sampling/createMessage": "CreateMessage"}
        for revision in SCHEMAS.keys() - {"2026-07-28"}:
            headers = {**SESSION, "mcp-protocol-version": [revision]}
            if revision < "2025-06-18":
                del headers["mcp-protocol-version"]
            for name, message in bad.items():
                why = f"no (JSONRPC|{name} of {revision})"
                self.wrong(why, record(message, headers, revision))
            for method, name in asked.items():
                why = f"no {name}Result of {revision}"
                self.wrong(why, record(answer, headers, revision, method))
        self.wrong("no ElicitResult", record(ROOTS, asked="elicitation/create"))
        bad = {**INITIALIZE, "clientInfo": {"name": "test"}}
        self.wrong("no InitializeRequest", record(request("initialize", bad), CONTENT, None))

    def test_revisions(self):
        unknown = {**INITIALIZE, "protocolVersion": "1900-01-01"}
        self.wrong("no schema", record(request("initialize", unknown), CONTENT, None))
        self.wrong("at once", record(request("ping"), revision="2025-06-18"))

    def test_headers_of_sessions(self):
        initialize = request("initialize", INITIALIZE)
        self.wrong("in a session", record(initialize, SESSION, None))
        self.wrong("is None", record(request("ping"), CONTENT))
        early = {**SESSION, "mcp-protocol-version": ["2025-03-26"]}
        self.wrong("not None", record(request("ping"), early, "2025-03-26"))
        for why, more in {
            "mcp-method": {"mcp-method": ["ping"]},
            "accepts": {"accept": ["application/json"]},
            "said to be JSON": {"content-type": ["text/json"]},
        }.items():
            self.wrong(why, record(request("ping"), {**SESSION, **more}))

    def test_stateless_bodies(self):
        capabilities, level = f"{META}clientCapabilities", f"{META}logLevel"
        for why, change in {
            "no RequestMetaObject": lambda it: it["_meta"].pop(capabilities),
            "no RequestMetaObject of": lambda it: it["_meta"].update({level: "loud"}),
            "no CallToolRequest": lambda it: it.update(requestState=1),
            "no CallToolRequest of": lambda it: it.update(inputResponses={"a": {}}),
        }.items():
            bad = changed(CALL, lambda it, change=change: change(it["params"]))
            self.wrong(why, record(bad, STATELESS, None))
        self.wrong("no RequestMetaObject", record(request("no/such", {}), STATELESS, None))
        self.wrong("a result in", record(ROOTS, STATELESS, None))
        self.wrong("a notification in", record(CANCELLED, STATELESS, None))

    def test_stateless_headers(self):
        version = f"{META}protocolVersion"
        for why, change in {
            "mcp-protocol-version is": lambda it: it["_meta"].update({version: "2027"}),
            "mcp-name is": lambda it: it.update(name="echo"),
            "mcp-param-count mirrors": lambda it: it["arguments"].pop("nested"),
            "mcp-param-region mirrors": lambda it: it["arguments"].update(region="us"),
        }.items():
            bad = changed(CALL, lambda it, change=change: change(it["params"]))
            self.wrong(why, record(bad, STATELESS, None))
        for why, more in {
            "a session": {"mcp-session-id": [""]},
            "mcp-method is": {"mcp-method": ["tools/list"]},
            "mcp-method twice": {"mcp-method": ["tools/call", "tools/call"]},
            "mcp-name cannot": {"mcp-name": ["écho"]},
            "mcp-name is": {"mcp-name": []},
            "mcp-param-region cannot": {"mcp-param-region": [" eu"]},
            "does not decode": {"mcp-param-region": ["=?base64?e?="]},
        }.items():
            self.wrong(why, record(CALL, {**STATELESS, **more}, None))


class Whole(unittest.TestCase):
    def test_it_fails_for_what_is_wrong_and_for_what_is_missing(self):
        with tempfile.TemporaryDirectory() as folder:
            line = json.dumps(record(request("ping", session="s1")))
            (Path(folder) / "1.jsonl").write_text(line + "\n", encoding="utf-8")
            script = Path(__file__).with_name("check.py")
            done = subprocess.run(
                [sys.executable, script, FOLDER, folder], capture_output=True, text=True
            )
        self.assertEqual(done.returncode, 1)
        self.assertIn("too much", done.stderr)
        self.assertIn("no InitializeRequest of 2024-11-05 was seen", done.stderr)


if __name__ == "__main__":
    unittest.main()
