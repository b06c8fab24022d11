"""The servers, and what is known of them."""

import dataclasses
import json
import pathlib
import re

TESTS = pathlib.Path(__file__).resolve().parent.parent

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


@dataclasses.dataclass(frozen=True)
class No:
    """A feature that a server does not have: what the application says then (a pattern), and either
    why the server cannot have it, or the place in faults.md that says what it does wrong, or why
    nobody can try it."""

    said: str
    by_design: str = ""
    theirs: str = ""
    untried: str = ""


def no_tool(*features):
    """Nothing in a finished server does what they need."""
    why = "None of its tools does what this needs."
    return {name: No("^none of its tools", untried=why) for name in features}


NO_ID = "there is no session id"
NO_SESSION = {"DELETE": No(NO_ID, "There is no session that could be ended.")}
NO_DELETE = {"DELETE": No(NO_ID, "In HTTP+SSE a session ends with its stream; there is no DELETE.")}
ANSWERS = {
    "progress": No(
        "^0 messages of progress", "The server answers with JSON, so nothing can come before the answer."
    )
}
UNNOTICED = "^the server did not notice$"
ELSEWHERE = {
    "cancel": No(UNNOTICED, "Without a session the notice reaches an instance that does not know the call.")
}
UNWATCHED = {"cancel": No(UNNOTICED, theirs="cancelled-where-nobody-looks")}
SAYS_NO = {
    "ask": No("Cannot (send|request input) .*elicitation/create", "The server says that it has no way to ask.")
}
UNHEARD = "^nothing was heard; the stream: "
NO_STREAM = {
    "listen": No(UNHEARD + "(NotOffered|Open)$", "Without a session nobody knows on whose stream to tell a change.")
}
DROPPED = {"ask": No("^`tools/call` failed: no reply came within 8.0 s", theirs="dropped-questions")}
LOST = {"ask": No("^`tools/call` failed: no reply came within 8.0 s", theirs="lost-answers")}
UNLISTENED = {"listen": No(UNHEARD + "NotOffered$", "FastMCP has no `subscriptions/listen`.")}
UNREADABLE = {"JSON-RPC error": No(r"refused the request \(HTTP 4(15|22) ", theirs="unknown-methods")}
UNAUTHORIZED = {
    "DELETE": No(r"\(HTTP 401 ", theirs="lost-sessions-as-401"),
    "restart": No(r"\(HTTP 401 ", theirs="lost-sessions-as-401"),
}
WRONG_CODE = {"JSON-RPC error": No("^the code is -32602: ", theirs="unknown-methods")}


@dataclasses.dataclass(frozen=True, eq=False)
class Row:
    """A server. `folder` is beside tests/interop and holds what is installed for it; `crate` is a
    folder in here, for a server that is no member of the workspace. In `arguments`, {folder} is where
    it is installed and {port} a free port, `path` what it serves there if it does not say so itself.
    `no` says what does not go well, feature by feature."""

    name: str
    version: str
    folder: str | None
    program: str
    arguments: list = dataclasses.field(default_factory=list)
    what: str = ""
    revision: str | None = None
    tools: dict | None = None
    crate: str | None = None
    path: str | None = None
    no: dict = dataclasses.field(default_factory=dict)

    def line(self):
        how = [self.what] if self.path else self.arguments[-1:]
        return " ".join([self.name, self.version, *how, self.revision or ""]).strip()


def npm(folder, package):
    pins = json.loads((TESTS / folder / "package-lock.json").read_text())
    return pins["packages"]["node_modules/" + package]["version"]


def pip(folder, package):
    pins = (TESTS / folder / "requirements.txt").read_text()
    return re.search(rf"(?m)^{package}==(\S+)", pins)[1]


def crate(folder, package):
    pins = (TESTS / folder / "Cargo.toml").read_text()
    return re.search(rf'(?m)^{package} = .*version = "=([^"]+)"', pins)[1]


# The name that the newest of the first ones has in the folder's pins.
TYPESCRIPT = "@modelcontextprotocol/sdk"


def typescript(sdk, path, **rest):
    what = {
        "/sse": "HTTP+SSE",
        "/mcp": "sessions",
        "/dual": "sessions, and HTTP+SSE at the same address",
        "/answers": "sessions, JSON",
        "/json": "stateless, JSON",
    }[path]
    folder = "servers/typescript"
    return Row("TypeScript SDK", npm(folder, sdk), folder, "server.mjs", [sdk, path], what, **rest)


def typescript_2(path, what, **rest):
    folder = "servers/typescript-2"
    version = npm(folder, "@modelcontextprotocol/server")
    return Row("TypeScript SDK", version, folder, "server.mjs", [path], what, **rest)


def everything(mode, path, what, no):
    form = {"name": "trigger-sampling-request", "arguments": {"prompt": "What is your name?"}}
    long = "trigger-long-running-operation"
    tools = {
        "add": {"name": "get-sum", "arguments": {"a": 2, "b": 40}},
        "ask": form,
        "change": {"name": "toggle-simulated-logging", "arguments": {}},
        "count": {"name": long, "arguments": {"duration": 1, "steps": 3}},
        "fail": {"name": "get-sum", "arguments": {"a": "two"}},
        "seen": None,
        "wait": {"name": long, "arguments": {"duration": 2, "steps": 8}},
    }
    no = no | {"cancel": No("^the server worked on to the last step$", theirs="work-that-goes-on")}
    folder = "servers/typescript"
    version = npm(folder, "@modelcontextprotocol/server-everything")
    program = "everything.mjs"
    return Row("server-everything", version, folder, program, [mode, path], what, tools=tools, no=no)


def python(name, package, folder, path, **rest):
    what = {
        "/sse": "HTTP+SSE",
        "/mcp": "sessions",
        "/answers": "sessions, JSON",
        "/stateless": "stateless",
        "/json": "stateless, JSON",
    }[path]
    newest = folder in ("python-2", "fastmcp-4") and rest.get("revision") is None
    if newest and path != "/sse":
        what = "stateless, JSON" if path in ("/answers", "/json") else "stateless"
    folder = "servers/" + folder
    return Row(name, pip(folder, package), folder, "server.py", [path], what, **rest)


def mcp(folder, path, **rest):
    return python("Python SDK", "mcp", folder, path, **rest)


def fastmcp(folder, path, **rest):
    return python("FastMCP", "fastmcp", folder, path, **rest)


def rmcp(mode, what, **rest):
    return Row("rmcp", crate("interop", "rmcp"), None, "interop-rmcp", [mode], what, **rest)


def rmcp_0_8(mode, what, **rest):
    return Row("rmcp", crate("interop", "rmcp-0-8"), None, "interop-rmcp-0-8", [mode], what, **rest)


def tower_mcp(what, **rest):
    version = crate("interop/tower-mcp", "tower-mcp")
    return Row("tower-mcp", version, None, "interop-tower-mcp", what=what, crate="tower-mcp", **rest)


def pmcp(what, **rest):
    version = crate("interop/pmcp", "pmcp")
    return Row("pmcp", version, None, "interop-pmcp", what=what, crate="pmcp", **rest)


def finished(name, package, program, arguments, tools, what, **rest):
    """Made by somebody else, and published as a program."""
    folder = "interop/finished"
    version = npm(folder, package)
    program = f"node_modules/{package}/{program}"
    # `answer` is in what `add` says.
    nothing = dict.fromkeys(["ask", "change", "count", "seen", "wait"])
    return Row(name, version, folder, program, arguments, what, tools=nothing | tools, **rest)


# Go, the official SDK.
def kubernetes(no, *options):
    arguments = ["--bind-address", "127.0.0.1", "--kubeconfig", "{folder}/kubeconfig", "--port", "{port}"]
    tools = {
        "add": {"name": "configuration_view", "arguments": {}},
        "fail": {"name": "namespaces_list", "arguments": {}},
    }
    package = "kubernetes-mcp-server-linux-amd64"
    name = "kubernetes-mcp-server (Go SDK 1.8.0)"
    program = "bin/kubernetes-mcp-server-linux-amd64"
    what = "stateless" if options else "sessions"
    arguments = [*options, *arguments]
    return finished(name, package, program, arguments, tools, what, path="/mcp", no=no)


# Go, the SDK mcp-go.
def mcp_time(no):
    arguments = ["--transport", "stream", "--address", "http://127.0.0.1:{port}/mcp"]
    time = {"time": "2026-01-01T00:00:40Z", "duration": "2s"}
    tools = {
        "add": {"name": "add_time", "arguments": time},
        "fail": {"name": "add_time", "arguments": {"duration": "two"}},
    }
    name = "mcp-time (mcp-go 0.33.0)"
    program = "bin/mcp-time"
    package = "mcp-time-linux-x64"
    return finished(name, package, program, arguments, tools, "sessions", path="/mcp", no=no)


# C#, the official SDK.
def azure(no):
    arguments = ["server", "start", "--transport", "http", "--mode", "all"]
    arguments += ["--namespace", "get_azure_bestpractices", "--dangerously-disable-http-incoming-auth"]
    tools = {
        "add": {"name": "get_azure_bestpractices_get", "arguments": {"resource": "general", "action": "all"}},
        "answer": "Azure technologies",
        "fail": {"name": "get_azure_bestpractices_get", "arguments": {"resource": "two", "action": "all"}},
    }
    name = "Azure MCP Server (C# SDK)"
    package = "@azure/mcp-linux-x64"
    return finished(name, package, "dist/azmcp", arguments, tools, "sessions", path="/", no=no)


OLD = "2025-11-25"

ROWS = [
    typescript("sdk-1.0", "/sse", no=NO_DELETE),
    typescript("sdk-1.10", "/sse", no=NO_DELETE),
    typescript("sdk-1.10", "/mcp"),
    typescript("sdk-1.12", "/mcp"),
    typescript("sdk-1.17", "/mcp"),
    typescript("sdk-1.20", "/sse", no=NO_DELETE),
    typescript("sdk-1.20", "/mcp"),
    typescript(TYPESCRIPT, "/sse", no=NO_DELETE),
    typescript(TYPESCRIPT, "/mcp"),
    typescript(TYPESCRIPT, "/dual"),
    typescript(TYPESCRIPT, "/answers", no=ANSWERS | DROPPED),
    typescript(TYPESCRIPT, "/json", no=NO_SESSION | ANSWERS | ELSEWHERE | NO_STREAM | DROPPED),
    typescript_2("/mcp", "stateless", no=NO_SESSION),
    typescript_2("/json", "stateless, JSON", no=NO_SESSION | ANSWERS),
    typescript_2("/mcp", "stateless", revision=OLD, no=NO_SESSION | SAYS_NO | NO_STREAM),
    typescript_2("/sessions", "sessions"),
    typescript_2("/answers", "sessions, JSON", no=ANSWERS | DROPPED),
    everything("sse", "/sse", "HTTP+SSE", NO_DELETE),
    everything("streamableHttp", "/mcp", "sessions", {}),
    mcp(
        "python-1.0",
        "/sse",
        no=NO_DELETE
        | {
            "cancel": No(UNNOTICED, "This SDK does one thing at a time, and cancels nothing."),
            "progress": No("^0 messages of progress", theirs="lost-progress-tokens"),
            "JSON-RPC error": No("the server ended the stream before its reply", theirs="unknown-methods"),
        },
    ),
    mcp("python", "/sse", no=NO_DELETE | WRONG_CODE),
    mcp("python", "/mcp", no=WRONG_CODE),
    mcp("python", "/answers", no=ANSWERS | DROPPED | WRONG_CODE),
    mcp("python", "/stateless", no=NO_SESSION | NO_STREAM | LOST | WRONG_CODE),
    mcp("python", "/json", no=NO_SESSION | ANSWERS | ELSEWHERE | NO_STREAM | DROPPED | WRONG_CODE),
    mcp("python-2", "/mcp", no=NO_SESSION),
    mcp("python-2", "/json", no=NO_SESSION | ANSWERS | UNWATCHED),
    mcp("python-2", "/mcp", revision=OLD),
    mcp("python-2", "/answers", revision=OLD, no=ANSWERS | SAYS_NO),
    mcp("python-2", "/stateless", revision=OLD, no=NO_SESSION | SAYS_NO | NO_STREAM),
    mcp("python-2", "/sse", no=NO_DELETE),
    fastmcp("fastmcp", "/sse", no=NO_DELETE | WRONG_CODE),
    fastmcp("fastmcp", "/mcp", no=WRONG_CODE),
    fastmcp("fastmcp", "/answers", no=ANSWERS | DROPPED | WRONG_CODE),
    fastmcp("fastmcp", "/stateless", no=NO_SESSION | ELSEWHERE | NO_STREAM | LOST | WRONG_CODE),
    fastmcp("fastmcp-4", "/mcp", no=NO_SESSION | UNLISTENED),
    fastmcp("fastmcp-4", "/json", no=NO_SESSION | ANSWERS | UNLISTENED | UNWATCHED),
    fastmcp("fastmcp-4", "/mcp", revision=OLD),
    fastmcp("fastmcp-4", "/answers", revision=OLD, no=ANSWERS | SAYS_NO),
    fastmcp("fastmcp-4", "/sse", no=NO_DELETE),
    rmcp_0_8("sse", "HTTP+SSE", no=NO_DELETE | UNREADABLE),
    rmcp_0_8("sessions", "sessions", no=UNREADABLE | UNAUTHORIZED),
    rmcp("sessions", "stateless", no=NO_SESSION),
    rmcp("sessions", "sessions", revision=OLD),
    rmcp("stateless", "stateless", revision=OLD, no=NO_SESSION | NO_STREAM | LOST),
    # A stream all the same, where something comes before the answer.
    rmcp("answers", "stateless, JSON if nothing comes before the answer", no=NO_SESSION),
    rmcp(
        "answers",
        "stateless, JSON if nothing comes before the answer",
        revision=OLD,
        no=NO_SESSION | NO_STREAM | LOST,
    ),
    tower_mcp("stateless", no=NO_SESSION),
    tower_mcp("sessions", revision=OLD),
    pmcp(
        "sessions, JSON",
        no=UNWATCHED
        | {
            "JSON-RPC error": No("^the code is -32700: ", theirs="unknown-methods"),
            "listen": No(UNHEARD + "Open$", theirs="changes-told-to-nobody"),
        },
    ),
    kubernetes(
        no_tool("progress", "cancel", "ask", "listen")
        | {"JSON-RPC error": No(r"refused the request \(HTTP 400 ", theirs="unknown-methods")}
    ),
    kubernetes(no_tool("progress", "cancel", "ask", "listen") | NO_SESSION, "--stateless"),
    mcp_time(
        no_tool("progress", "cancel", "ask", "listen")
        | {
            "DELETE": No("^the session lived on$", theirs="sessions-that-do-not-end"),
            "restart": No("^the session lived on$", "It remembers no sessions, and takes any id of its form."),
        }
    ),
    azure(no_tool("progress", "cancel", "ask", "listen")),
]
