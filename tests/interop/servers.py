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

NO_SESSION = "There is no session that could be ended."
NO_DELETE = "In HTTP+SSE a session ends with its stream; there is no DELETE."
ANSWERS = "The server answers with JSON, so nothing can come before the answer."
NO_STREAM = "The server has no stream of its own without a session."


@dataclasses.dataclass(frozen=True, eq=False)
class Row:
    """A server. `by_design` says why it cannot do what a feature needs; `theirs` names the place
    in faults.md that says what it does wrong."""

    name: str
    version: str
    folder: str | None
    program: str
    arguments: list = dataclasses.field(default_factory=list)
    what: str = ""
    revision: str | None = None
    tools: dict | None = None
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


ROWS = [
    typescript("1.0.4", "/sse", by_design={"DELETE": NO_DELETE}),
    typescript("1.10.2", "/sse", by_design={"DELETE": NO_DELETE}),
    typescript("1.10.2", "/mcp"),
    typescript("1.12.3", "/mcp"),
    typescript("1.17.5", "/mcp"),
    typescript("1.20.2", "/sse", by_design={"DELETE": NO_DELETE}),
    typescript("1.20.2", "/mcp"),
    typescript("1.32.2", "/sse", by_design={"DELETE": NO_DELETE}),
    typescript("1.32.2", "/mcp"),
    typescript("1.32.2", "/dual"),
    typescript("1.32.2", "/answers"),
    typescript("1.32.2", "/json", by_design={"DELETE": NO_SESSION}),
    everything("sse", "/sse", "HTTP+SSE", by_design={"DELETE": NO_DELETE}),
    everything("streamableHttp", "/mcp", "sessions"),
    typescript_2("/mcp", "stateless", by_design={"DELETE": NO_SESSION}),
    typescript_2("/mcp", "stateless", revision="2025-11-25", by_design={"DELETE": NO_SESSION}),
    typescript_2("/sessions", "sessions"),
    typescript_2("/answers", "sessions, JSON"),
    mcp("1.0.0", "/sse", by_design={"DELETE": NO_DELETE}),
    mcp("1.30.0", "/sse", by_design={"DELETE": NO_DELETE}),
    mcp("1.30.0", "/mcp"),
    mcp("1.30.0", "/answers"),
    mcp("1.30.0", "/stateless", by_design={"DELETE": NO_SESSION}),
    mcp("1.30.0", "/json", by_design={"DELETE": NO_SESSION}),
    mcp("2.3.0", "/mcp", by_design={"DELETE": NO_SESSION}),
    mcp("2.3.0", "/json", by_design={"DELETE": NO_SESSION}),
    mcp("2.3.0", "/mcp", revision="2025-11-25"),
    mcp("2.3.0", "/answers", revision="2025-11-25"),
    mcp("2.3.0", "/stateless", revision="2025-11-25", by_design={"DELETE": NO_SESSION}),
    mcp("2.3.0", "/sse", by_design={"DELETE": NO_DELETE}),
    fastmcp("2.12.5", "/sse", by_design={"DELETE": NO_DELETE}),
    fastmcp("2.12.5", "/mcp"),
    fastmcp("2.12.5", "/stateless", by_design={"DELETE": NO_SESSION}),
    fastmcp("4.2.3", "/mcp", by_design={"DELETE": NO_SESSION}),
    fastmcp("4.2.3", "/mcp", revision="2025-11-25"),
    fastmcp("4.2.3", "/sse", by_design={"DELETE": NO_DELETE}),
]
