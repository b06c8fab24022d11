"""A server made with FastMCP. The argument says what is spoken: HTTP+SSE
under /sse, sessions under /mcp, the same without streams for calls under /answers; without sessions
under /stateless, and then without streams too under /json. Prints the address it listens on."""

import logging
import pathlib
import sys

from fastmcp import Context, FastMCP
from pydantic import BaseModel

# What is beside this folder.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import tools

logging.disable()

path = sys.argv[1]
server = FastMCP("fastmcp")
tools.give(server.tool, Context)


class Person(BaseModel):
    name: str


@server.tool
async def ask(context: Context) -> str:
    """Asks for a name and greets."""
    answer = await context.elicit("What is your name?", Person)
    return f"{answer.action} {answer.data.name if answer.action == 'accept' else ''}"


if path == "/sse":
    app = server.http_app(path=path, transport="sse")
else:
    json, stateless = path in ("/answers", "/json"), path in ("/stateless", "/json")
    app = server.http_app(path=path, json_response=json, stateless_http=stateless)
tools.serve(app, path)
