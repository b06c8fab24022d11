"""A server made with the second Python SDK: every revision. Those that have sessions have them under
/mcp and, without streams for calls, under /answers; not under /stateless and /json. HTTP+SSE under
/sse. Prints the address it listens on."""

import pathlib
import sys
from typing import Annotated

from mcp.server.elicitation import ElicitationResult
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.resolve import Elicit, Resolve
from pydantic import BaseModel, Field

# What is beside this folder.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import tools

path = (sys.argv[1:] or ["/mcp"])[0]
server = MCPServer("python", log_level="CRITICAL")
tools.give(
    server.tool(),
    Context,
    lambda context: [context.notify_tools_changed, context.session.send_tool_list_changed],
)


class Person(BaseModel):
    name: str


def who() -> Elicit[Person]:
    return Elicit("What is your name?", Person)


@server.tool()
def ask(person: Annotated[ElicitationResult[Person], Resolve(who)]) -> str:
    """Asks for a name and greets."""
    name = [person.data.name] if person.action == "accept" else []
    return ", ".join([person.action, "asked", *name])


@server.tool()
def mirror(place: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Place"})]) -> str:
    """Says where it is; the place is in a header too."""
    return place


if path == "/sse":
    app = server.sse_app()
else:
    json, stateless = path in ("/answers", "/json"), path in ("/stateless", "/json")
    app = server.streamable_http_app(
        streamable_http_path=path, json_response=json, stateless_http=stateless
    )
tools.serve(app, path)
