"""The headers of a message against its body, as a server has to compare them.

Written from the specification (2026-07-28, basic/transports/streamable-http: request metadata,
server validation; 2025-11-25, basic/transports: protocol version header), not from the crate.
"""

import base64
import binascii
import re

META = "io.modelcontextprotocol/"
NAMES = {"prompts/get": "name", "resources/read": "uri", "tools/call": "name"}
SENTINEL = re.compile(r"=\?base64\?(.*)\?=", re.DOTALL)
# Visible ASCII, and blanks inside.
VALUE = re.compile(r"[!-~]([\t -~]*[!-~])?")


class Wrong(Exception):
    pass


def one(headers, name):
    """The value of a header that is there once, or None."""
    values = headers.get(name, [])
    if len(values) > 1:
        raise Wrong(f"{name} twice")
    if values and not VALUE.fullmatch(values[0]):
        raise Wrong(f"{name} cannot be a header: {values[0]!r}")
    return values[0] if values else None


def decode(value):
    encoded = SENTINEL.fullmatch(value)
    if not encoded:
        return value
    try:
        return base64.b64decode(encoded[1], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise Wrong(f"{value!r} does not decode: {error}") from error


def check_content(headers):
    accepted = {it.strip() for it in (one(headers, "accept") or "").split(",")}
    if not {"application/json", "text/event-stream"} <= accepted:
        raise Wrong(f"it accepts {accepted}")
    if one(headers, "content-type") != "application/json":
        raise Wrong("it is not said to be JSON")


def check_session(message, headers, revision, negotiated):
    check_content(headers)
    mirrored = [name for name in headers if re.match("mcp-(method|name|param-)", name)]
    if mirrored:
        raise Wrong(f"{mirrored} in {revision}")
    version = one(headers, "mcp-protocol-version")
    if message.get("method") == "initialize":
        if version or "mcp-session-id" in headers:
            raise Wrong("`initialize` in a session")
        return
    expected = revision if negotiated and revision >= "2025-06-18" else None
    if version != expected:
        raise Wrong(f"mcp-protocol-version is {version}, not {expected}")


def check_stateless(message, headers):
    check_content(headers)
    if "mcp-session-id" in headers:
        raise Wrong("a session in an era without")
    method, params = message["method"], message.get("params", {})
    if "id" in message:
        equal(headers, "mcp-protocol-version", params["_meta"][f"{META}protocolVersion"])
    equal(headers, "mcp-method", method)
    source = "taskId" if method.startswith("tasks/") else NAMES.get(method)
    name = one(headers, "mcp-name")
    if (name and decode(name)) != (source and params.get(source)):
        raise Wrong(f"mcp-name is {name!r}, not {source and params.get(source)!r}")
    # Which of them it is, the schema of the tool says, which is not here.
    arguments = [*texts(params.get("arguments", {}))] if method == "tools/call" else []
    for header in headers:
        if header.startswith("mcp-param-") and decode(one(headers, header)) not in arguments:
            raise Wrong(f"{header} mirrors no argument")


def equal(headers, name, expected):
    if one(headers, name) != expected:
        raise Wrong(f"{name} is {one(headers, name)!r}, not {expected!r}")


def texts(value):
    """All values inside that a header can mirror, as text."""
    match value:
        case dict():
            for member in value.values():
                yield from texts(member)
        case bool():
            yield str(value).lower()
        case int() | str():
            yield str(value)
