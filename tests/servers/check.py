"""Talks to a server through the command line and looks at what it prints:
check.py COMMAND URL found|told BINDING REVISION. The command finds the revision, or is told it."""

import json
import subprocess
import sys

command, url, how, binding, revision = sys.argv[1:]
options = ["--revision", revision] if how == "told" else []


def call(method, *params, options=options):
    arguments = [command, "call", url, method, *map(json.dumps, params), *options]
    pipe = subprocess.PIPE
    done = subprocess.run(arguments, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True)
    print(*options, method, "->", done.returncode, done.stdout.rstrip())
    print(done.stderr, end="")
    return done


def result(method, *params):
    done = call(method, *params)
    assert done.returncode == 0, "the call failed"
    assert done.stdout.count("\n") == 1, "the result is no single line"
    return json.loads(done.stdout)


def text(tool, **arguments):
    outcome = result("tools/call", {"name": tool, "arguments": arguments})
    [content] = outcome["content"]
    return content["text"]


tools = [tool["name"] for tool in result("tools/list")["tools"]]

done = call("tools/list", {}, options=[*options, "--json"])
*said, listed = map(json.loads, done.stdout.splitlines())
# Over HTTP+SSE the server's messages may come before the answer to what ends the handshake.
[ready] = [event for event in said if event["event"] == "ready"]
assert (ready["binding"], ready["revision"]) == (binding, revision), ready
assert listed["event"] == "result", listed

if "get-sum" in tools:
    assert text("get-sum", a=2, b=40) == "The sum of 2 and 40 is 42."
else:
    assert text("add", a=2, b=40) == "42"

# The oldest one ends the stream over what it does not understand.
refused = 8 if ready["server"]["name"] == "python-1.0" else 3
assert call("tools/call", {}).returncode == refused, "the server said no"

if "count" in tools:
    done = call("tools/call", {"name": "count"})
    assert done.returncode == 0, "the call failed"
    assert [line[:12] for line in done.stderr.splitlines()] == [f"< progress {n}" for n in "123"]

if binding == "stateless":
    assert {"add", "ask", "mirror"} <= set(tools), tools

    done = call("no/such/method", {})
    assert done.returncode == 3, "it is the server that does not know the method"
    assert "code: -32601" in done.stderr

    # A round: the server asks, is told no, and gets its state back.
    assert text("ask") == "decline, asked"

    # The command calls a tool whose list it has not read, and which has a header.
    for place in ["Berlin", "Zürich ", "=?base64?eA==?="]:
        assert text("mirror", place=place) == place
