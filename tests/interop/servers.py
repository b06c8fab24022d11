"""The servers, and what is known of them."""

import dataclasses

FEATURES = [
    "call",
    "progress",
    "tool error",
    "JSON-RPC error",
    "cancel",
    "ask",
    "listen",
    "DELETE",
    "restart",
    "close",
]

# Why a server cannot do what a feature needs.
NO_SESSION = {"DELETE": "There is no session that could be ended."}
NO_DELETE = {"DELETE": "In HTTP+SSE a session ends with its stream; there is no DELETE."}
ANSWERS = {"progress": "The server answers with JSON, so nothing can come before the answer."}
ELSEWHERE = {
    "cancel": "Without a session the notice reaches an instance that does not know the call.",
}
SAYS_NO = {"ask": "The server says that it has no way to ask."}
NO_STREAM = {"listen": "Without a session nobody knows on whose stream to tell a change."}
UNWATCHED = {
    "cancel": "2026-07-28 cancels by closing a stream; where the answer is JSON the server does not "
    "watch for that.",
}
# What is wrong with it: the place in faults.md.
DROPPED = {"ask": "dropped-questions"}
LOST = {"ask": "lost-answers"}
UNKNOWN = {"JSON-RPC error": "unknown-methods"}
UNAUTHORIZED = {"DELETE": "lost-sessions-as-401", "restart": "lost-sessions-as-401"}


@dataclasses.dataclass(frozen=True, eq=False)
class Row:
    """A server. `by_design` says why it cannot do what a feature needs; `theirs` names the place
    in faults.md that says what it does wrong. `crate` is a folder beside this file, for a server that
    is no member of the workspace."""

    name: str
    version: str
    folder: str | None
    program: str
    arguments: list = dataclasses.field(default_factory=list)
    what: str = ""
    revision: str | None = None
    tools: dict | None = None
    crate: str | None = None
    by_design: dict = dataclasses.field(default_factory=dict)
    theirs: dict = dataclasses.field(default_factory=dict)

    def line(self):
        return " ".join([self.name, self.version, *self.arguments[-1:], self.revision or ""]).strip()


def typescript(version, path, **rest):
    sdk = "@modelcontextprotocol/sdk" if version == "1.32.2" else "sdk-" + version.rpartition(".")[0]
    what = {
        "/sse": "HTTP+SSE",
        "/mcp": "sessions",
        "/dual": "sessions, and HTTP+SSE at the same address",
        "/answers": "sessions, JSON",
        "/json": "stateless, JSON",
    }[path]
    return Row("TypeScript SDK", version, "typescript", "server.mjs", [sdk, path], what, **rest)


def typescript_2(path, what, **rest):
    return Row("TypeScript SDK", "2.4.0", "typescript-2", "server.mjs", [path], what, **rest)


def everything(mode, path, what, **rest):
    by_design = {"cancel": "No tool of it waits and tells whether it was cancelled."}
    by_design |= rest.pop("by_design", {})
    form = {"name": "trigger-sampling-request", "arguments": {"prompt": "What is your name?"}}
    tools = {
        "add": {"name": "get-sum", "arguments": {"a": 2, "b": 40}},
        "ask": form,
        "change": {"name": "toggle-simulated-logging", "arguments": {}},
        "count": {"name": "trigger-long-running-operation", "arguments": {"duration": 1, "steps": 3}},
        "fail": {"name": "get-sum", "arguments": {"a": "two"}},
    }
    return Row(
        "server-everything",
        "2026.8.31",
        "typescript",
        "everything.mjs",
        [mode, path],
        what,
        tools=tools,
        by_design=by_design,
        **rest,
    )


def python(name, version, folder, path, **rest):
    what = {
        "/sse": "HTTP+SSE",
        "/mcp": "sessions",
        "/answers": "sessions, JSON",
        "/stateless": "stateless",
        "/json": "stateless, JSON",
    }[path]
    if rest.get("revision") is None and folder in ("python-2", "fastmcp-4") and path != "/sse":
        what = "stateless, JSON" if path in ("/answers", "/json") else "stateless"
    return Row(name, version, folder, "server.py", [path], what, **rest)


def mcp(version, path, **rest):
    folder = {"1.0.0": "python-1.0", "1.30.0": "python", "2.3.0": "python-2"}[version]
    return python("Python SDK", version, folder, path, **rest)


def fastmcp(version, path, **rest):
    folder = {"2.12.5": "fastmcp", "4.2.3": "fastmcp-4"}[version]
    return python("FastMCP", version, folder, path, **rest)


def rmcp(mode, what, **rest):
    return Row("rmcp", "3.8.0", None, "interop-rmcp", [mode], what, **rest)


def rmcp_0_8(mode, what, **rest):
    return Row("rmcp", "0.8.5", None, "interop-rmcp-0-8", [mode], what, **rest)


def tower_mcp(what, **rest):
    program = "interop-tower-mcp"
    return Row("tower-mcp", "0.25.0", None, program, what=what, crate="tower-mcp", **rest)


OLD = "2025-11-25"

ROWS = [
    typescript("1.0.4", "/sse", by_design=NO_DELETE),
    typescript("1.10.2", "/sse", by_design=NO_DELETE),
    typescript("1.10.2", "/mcp"),
    typescript("1.12.3", "/mcp"),
    typescript("1.17.5", "/mcp"),
    typescript("1.20.2", "/sse", by_design=NO_DELETE),
    typescript("1.20.2", "/mcp"),
    typescript("1.32.2", "/sse", by_design=NO_DELETE),
    typescript("1.32.2", "/mcp"),
    typescript("1.32.2", "/dual"),
    typescript("1.32.2", "/answers", by_design=ANSWERS, theirs=DROPPED),
    typescript(
        "1.32.2",
        "/json",
        by_design=NO_SESSION | ANSWERS | ELSEWHERE | NO_STREAM,
        theirs=DROPPED,
    ),
    typescript_2("/mcp", "stateless", by_design=NO_SESSION),
    typescript_2("/mcp", "stateless", revision=OLD, by_design=NO_SESSION | SAYS_NO | NO_STREAM),
    typescript_2("/sessions", "sessions"),
    typescript_2("/answers", "sessions, JSON", by_design=ANSWERS, theirs=DROPPED),
    everything("sse", "/sse", "HTTP+SSE", by_design=NO_DELETE),
    everything("streamableHttp", "/mcp", "sessions"),
    mcp(
        "1.0.0",
        "/sse",
        by_design=NO_DELETE | {"cancel": "This SDK does one thing at a time, and cancels nothing."},
        theirs={"progress": "lost-progress-tokens", "JSON-RPC error": "unknown-methods"},
    ),
    mcp("1.30.0", "/sse", by_design=NO_DELETE),
    mcp("1.30.0", "/mcp"),
    mcp("1.30.0", "/answers", by_design=ANSWERS, theirs=DROPPED),
    mcp("1.30.0", "/stateless", by_design=NO_SESSION | NO_STREAM, theirs=LOST),
    mcp(
        "1.30.0",
        "/json",
        by_design=NO_SESSION | ANSWERS | ELSEWHERE | NO_STREAM,
        theirs=DROPPED,
    ),
    mcp("2.3.0", "/mcp", by_design=NO_SESSION),
    mcp("2.3.0", "/json", by_design=NO_SESSION | ANSWERS | UNWATCHED),
    mcp("2.3.0", "/mcp", revision=OLD),
    mcp("2.3.0", "/answers", revision=OLD, by_design=ANSWERS | SAYS_NO),
    mcp("2.3.0", "/stateless", revision=OLD, by_design=NO_SESSION | SAYS_NO | NO_STREAM),
    mcp("2.3.0", "/sse", by_design=NO_DELETE),
    fastmcp("2.12.5", "/sse", by_design=NO_DELETE),
    fastmcp("2.12.5", "/mcp"),
    fastmcp(
        "2.12.5", "/stateless", by_design=NO_SESSION | ELSEWHERE | NO_STREAM, theirs=LOST
    ),
    fastmcp(
        "4.2.3",
        "/mcp",
        by_design=NO_SESSION | {"listen": "FastMCP has no `subscriptions/listen`."},
    ),
    fastmcp("4.2.3", "/mcp", revision=OLD),
    fastmcp("4.2.3", "/sse", by_design=NO_DELETE),
    rmcp_0_8("sse", "HTTP+SSE", by_design=NO_DELETE, theirs=UNKNOWN),
    rmcp_0_8("sessions", "sessions", theirs=UNKNOWN | UNAUTHORIZED),
    rmcp("sessions", "stateless", by_design=NO_SESSION),
    rmcp("sessions", "sessions", revision=OLD),
    rmcp("stateless", "stateless", revision=OLD, by_design=NO_SESSION | NO_STREAM, theirs=LOST),
    rmcp("answers", "stateless, JSON", by_design=NO_SESSION),
    tower_mcp("stateless", by_design=NO_SESSION),
    tower_mcp("sessions", revision=OLD),
]
