"""Talks to a server through the command line and looks at what it prints: check.py COMMAND URL."""

import json
import subprocess
import sys

command, url = sys.argv[1:]


def call(method, *params):
    arguments = [command, "call", url, method, *map(json.dumps, params)]
    done = subprocess.run(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    print(method, "->", done.returncode, done.stdout.rstrip())
    return done


def result(method, *params):
    done = call(method, *params)
    assert done.returncode == 0, "the call failed"
    assert done.stdout.count("\n") == 1, "the result is no single line"
    return json.loads(done.stdout)


tools = result("tools/list", {})["tools"]
assert [tool["name"] for tool in tools] == ["add"], tools

outcome = result("tools/call", {"name": "add", "arguments": {"a": 2, "b": 40}})
assert outcome["content"] == [{"type": "text", "text": "42"}], outcome

assert call("tools/call", {}).returncode == 3, "the server said no"
