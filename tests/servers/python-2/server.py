"""A server made with the second Python SDK: every revision. Those that have sessions have them under
/mcp and, without streams for calls, under /answers; not under /stateless and /json. HTTP+SSE under
/sse. Prints the address it listens on."""

import asyncio
import socket
import sys
from typing import Annotated

import uvicorn
from mcp.server.elicitation import ElicitationResult
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.resolve import Elicit, Resolve
from pydantic import BaseModel, Field

path = (sys.argv[1:] or ["/mcp"])[0]
server = MCPServer("python", log_level="CRITICAL")
begun = 0
cancelled = 0
tasks = set()


class Person(BaseModel):
    name: str


def who() -> Elicit[Person]:
    return Elicit("What is your name?", Person)


@server.tool()
def add(a: float, b: float) -> str:
    """Adds two numbers."""
    return f"{a + b:g}"


@server.tool()
def ask(person: Annotated[ElicitationResult[Person], Resolve(who)]) -> str:
    """Asks for a name and greets."""
    name = [person.data.name] if person.action == "accept" else []
    return ", ".join([person.action, "asked", *name])


@server.tool()
def mirror(place: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Place"})]) -> str:
    """Says where it is; the place is in a header too."""
    return place


@server.tool()
async def count(context: Context) -> str:
    """Counts to three and tells how far it is."""
    for progress in [1, 2, 3]:
        await context.report_progress(progress)
    return "3"


@server.tool()
async def wait() -> str:
    """Waits until it is cancelled."""
    global begun, cancelled
    begun += 1
    try:
        await asyncio.sleep(20)
    except asyncio.CancelledError:
        cancelled += 1
        raise
    return "nobody cancelled"


@server.tool()
def seen() -> str:
    """How many waited, and were cancelled."""
    return f"begun {begun} cancelled {cancelled}"


@server.tool()
def fail() -> str:
    """Fails."""
    raise ValueError("It failed.")


@server.tool()
async def change(context: Context) -> str:
    """Tells of a change a little later."""
    async def tell():
        await asyncio.sleep(0.3)
        await context.notify_tools_changed()
        await context.session.send_tool_list_changed()

    task = asyncio.create_task(tell())
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return "soon"


listener = socket.create_server(("127.0.0.1", 0))
print(f"http://127.0.0.1:{listener.getsockname()[1]}{path}", flush=True)
if path == "/sse":
    app = server.sse_app()
else:
    json, stateless = path in ("/answers", "/json"), path in ("/stateless", "/json")
    app = server.streamable_http_app(
        streamable_http_path=path, json_response=json, stateless_http=stateless
    )
config = uvicorn.Config(app, log_level="warning")
uvicorn.Server(config).run(sockets=[listener])
