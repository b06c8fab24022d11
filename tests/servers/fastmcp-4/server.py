"""A server made with FastMCP 4. The argument says what is spoken: HTTP+SSE
under /sse, sessions under /mcp, the same without streams for calls under /answers; without sessions
under /stateless, and then without streams too under /json. Prints the address it listens on."""

import asyncio
import logging
import socket
import sys
from typing import Annotated

import uvicorn
from fastmcp import Context, FastMCP
from mcp_types import ElicitRequest, ElicitRequestFormParams, InputRequiredResult
from pydantic import BaseModel, Field

logging.disable()

path = sys.argv[1]
server = FastMCP("fastmcp")
begun = 0
cancelled = 0
tasks = set()


class Person(BaseModel):
    name: str


@server.tool
def add(a: float, b: float) -> str:
    """Adds two numbers."""
    return f"{a + b:g}"


@server.tool
async def count(context: Context) -> str:
    """Counts to three and tells how far it is."""
    for progress in [1, 2, 3]:
        await context.report_progress(progress)
    return "3"


@server.tool
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


@server.tool
def seen() -> str:
    """How many waited, and were cancelled."""
    return f"begun {begun} cancelled {cancelled}"


@server.tool
def fail() -> str:
    """Fails."""
    raise ValueError("It failed.")


@server.tool
async def change(context: Context) -> str:
    """Tells of a change a little later."""
    session = context.session

    async def tell():
        await asyncio.sleep(0.3)
        await session.send_tool_list_changed()

    task = asyncio.create_task(tell())
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return "soon"


@server.tool
async def ask(context: Context) -> str | InputRequiredResult:
    """Asks for a name and greets; without a session, by its result."""
    if context.request_context.protocol_version < "2026-07-28":
        answer = await context.elicit("What is your name?", Person)
        return f"{answer.action}, {answer.data.name if answer.action == 'accept' else ''}"
    if context.input_responses is None:
        form = ElicitRequestFormParams(
            message="What is your name?", requested_schema=Person.model_json_schema()
        )
        return InputRequiredResult(
            input_requests={"name": ElicitRequest(params=form)}, request_state="asked"
        )
    answer = context.input_responses["name"]
    name = [answer.content["name"]] if answer.content else []
    return ", ".join([answer.action, context.request_state, *name])


@server.tool
def mirror(place: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Place"})]) -> str:
    """Says where it is; the place is in a header too."""
    return place


listener = socket.create_server(("127.0.0.1", 0))
print(f"http://127.0.0.1:{listener.getsockname()[1]}{path}", flush=True)
if path == "/sse":
    app = server.http_app(path=path, transport="sse")
else:
    json, stateless = path in ("/answers", "/json"), path in ("/stateless", "/json")
    app = server.http_app(path=path, json_response=json, stateless_http=stateless)
uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
