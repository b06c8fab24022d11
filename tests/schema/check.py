"""Holds what the crate sent in its tests against the schemas: check.py SCHEMAS RECORDS.

SCHEMAS holds `<revision>.json`, RECORDS what tests/support/record.rs wrote. Fails if a message is
wrong, or if one that the crate makes itself was never seen.
"""

import json
import sys
from collections import Counter
from pathlib import Path

from headers import META, Wrong, check_session, check_stateless
from jsonschema_rs import validator_for

STATELESS = {"2026-07-28"}

# What the crate makes itself, and so has to be seen: definitions, and what is in them.
HANDSHAKE = ["InitializeRequest", "InitializedNotification"]
ANSWERS = ["EmptyResult", "CreateMessageResult", "ListRootsResult"]
CONTROL = ["CancelledNotification", "PingRequest", "SetLevelRequest", "SubscribeRequest"]
SESSION = [*HANDSHAKE, *ANSWERS, *CONTROL, "CallToolRequest with progressToken"]
REQUIRED = {
    "2024-11-05": [*SESSION, "JSONRPCError"],
    "2025-03-26": [*SESSION, "JSONRPCError"],
    "2025-06-18": [*SESSION, "JSONRPCError", "ElicitResult"],
    "2025-11-25": [*SESSION, "JSONRPCErrorResponse", "ElicitResult"],
    "2026-07-28": [
        "DiscoverRequest",
        "CallToolRequest",
        "CallToolRequest with inputResponses",
        "CallToolRequest with logLevel",
        "CallToolRequest with mcp-param",
        "CallToolRequest with progressToken",
        "CallToolRequest with requestState",
        "GetPromptRequest with inputResponses",
        "ListToolsRequest",
        "ReadResourceRequest with inputResponses",
        "SubscriptionsListenRequest",
    ],
}
MEMBERS = {
    "request": {"jsonrpc", "id", "method", "params"},
    "notification": {"jsonrpc", "method", "params"},
    "result": {"jsonrpc", "id", "result"},
    "error": {"jsonrpc", "id", "error"},
}


class Schema:
    """The definitions of one revision."""

    def __init__(self, revision, text):
        self.revision = revision
        self.schema = json.loads(text)
        self.key = "$defs" if "$defs" in self.schema else "definitions"
        self.definitions = self.schema[self.key]
        self.validators = {}
        sent = self.union("ClientRequest") + self.union("ClientNotification")
        self.sent = {self.method(name): name for name in sent}
        asked = [name for name in self.definitions if name.endswith("Request")]
        self.asked = {self.method(name): name for name in asked if self.method(name)}

    def union(self, name):
        """The definitions that this one is any of, or itself."""
        members = self.definitions[name].get("anyOf")
        return [it["$ref"].rpartition("/")[2] for it in members] if members else [name]

    def method(self, name):
        return self.definitions[name].get("properties", {}).get("method", {}).get("const")

    def general(self, kind):
        if kind in ("request", "notification"):
            return "JSONRPC" + kind.capitalize()
        names = {
            "result": ["JSONRPCResultResponse", "JSONRPCResponse"],
            "error": ["JSONRPCErrorResponse", "JSONRPCError"],
        }
        return next(name for name in names[kind] if name in self.definitions)

    def result_of(self, method):
        """What answers this question of the server, if the revision knows it."""
        if method == "ping":
            return "EmptyResult"
        name = self.asked.get(method, "").replace("Request", "Result")
        return name if name in self.definitions else None

    def validate(self, name, value):
        if name not in self.validators:
            schema = {
                "$schema": self.schema["$schema"],
                self.key: self.definitions,
                "allOf": [{"$ref": f"#/{self.key}/{name}"}],
            }
            self.validators[name] = validator_for(schema)
        for error in self.validators[name].iter_errors(value):
            path = "/".join(map(str, error.instance_path))
            raise Wrong(f"no {name} of {self.revision}: at `{path}`: {error.message}")


def parse(text):
    def members(pairs):
        names = [name for name, _ in pairs]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise Wrong(f"{', '.join(twice)} twice in one object")
        return dict(pairs)

    def constant(name):
        raise Wrong(f"{name} is no JSON")

    try:
        value = json.loads(text, object_pairs_hook=members, parse_constant=constant)
        # A lone surrogate is JSON, but the validator takes only Unicode.
        text = json.dumps(value, ensure_ascii=False).encode("utf-16-le", "surrogatepass")
        return json.loads(text.decode("utf-16-le", "replace"))
    except ValueError as error:
        raise Wrong(f"no JSON: {error}") from error


def kind_of(message):
    if not isinstance(message, dict):
        raise Wrong("no object")
    if "method" in message:
        kind = "request" if "id" in message else "notification"
    else:
        kind = "error" if "error" in message else "result"
    added = message.keys() - MEMBERS[kind]
    missing = MEMBERS[kind] - message.keys() - {"params"}
    if added or missing:
        raise Wrong(f"{kind}: {added or 'nothing'} too much, without {missing or 'nothing'}")
    return kind


def revisions_of(message, record):
    """The revision that a message is of; all of the session era if there is none yet."""
    if message.get("method") == "initialize":
        return [message.get("params", {}).get("protocolVersion")]
    named = record["headers"].get("mcp-protocol-version", [])
    known = {*named, record["revision"]} - {None}
    if len(known) > 1:
        raise Wrong(f"of {known} at once")
    return [*known] or [*REQUIRED.keys() - STATELESS]


def check(record, schemas):
    """What a message is, as (revision, name) pairs; raises `Wrong`."""
    message = parse(record["body"])
    kind = kind_of(message)
    seen = []
    for revision in revisions_of(message, record):
        if revision not in schemas:
            raise Wrong(f"of the revision {revision}, of which there is no schema")
        # Over HTTP there are only those of extensions.
        own = message.get("method") in schemas[revision].sent
        if revision in STATELESS and kind != "request" and (own or kind != "notification"):
            raise Wrong(f"a {kind} in {revision}")
        names = check_body(message, kind, record["asked"], schemas[revision])
        if revision in STATELESS:
            check_stateless(message, record["headers"])
        else:
            check_session(message, record["headers"], revision, record["revision"])
        names += [f"{names[-1]} with {extra}" for extra in extras(message, record)]
        seen += [(revision, name) for name in names]
    return seen


def check_body(message, kind, asked, schema):
    """The names of the definitions that a message has to fit: what is JSON-RPC's, and its own."""
    general = schema.general(kind)
    # An answer's id is the server's, and goes back as it came, which may be wrong.
    is_answer = kind in ("result", "error")
    schema.validate(general, {**message, "id": 0} if is_answer else message)
    if schema.revision in STATELESS and kind == "request":
        # Of methods that the schema does not know too.
        schema.validate("RequestMetaObject", message.get("params", {}).get("_meta"))
    own = schema.result_of(asked) if kind == "result" else schema.sent.get(message.get("method"))
    if own:
        schema.validate(own, message["result"] if kind == "result" else message)
    return [general, own] if own else [general]


def extras(message, record):
    """What of the crate's a message has in it."""
    params = message.get("params", {})
    yield from params.keys() & {"inputResponses", "requestState"}
    meta = params.get("_meta", {})
    yield from {name.removeprefix(META) for name in meta} & {"logLevel", "progressToken"}
    if any(name.startswith("mcp-param-") for name in record["headers"]):
        yield "mcp-param"


def read_schemas(folder):
    return {
        revision: Schema(revision, (folder / f"{revision}.json").read_text(encoding="utf-8"))
        for revision in REQUIRED
    }


def main():
    schema_folder, record_folder = map(Path, sys.argv[1:])
    schemas = read_schemas(schema_folder)
    seen, wrong = Counter(), []
    for file in sorted(record_folder.glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            try:
                seen.update(check(record, schemas))
            except Wrong as why:
                wrong.append(f"{why}\n    {line}")
    for revision in schemas:
        print(f"messages of {revision}, one of each kind:")
        for (of, name), count in sorted(seen.items()):
            if of == revision:
                print(f"{count:7}  {name}")
    wrong += [
        f"no {name} of {revision} was seen"
        for revision in REQUIRED
        for name in REQUIRED[revision]
        if not seen[revision, name]
    ]
    for why in wrong:
        print(f"error: {why}", file=sys.stderr)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
