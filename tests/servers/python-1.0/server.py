"""A server made with the oldest Python SDK: HTTP+SSE. Prints the address it listens on."""

import asyncio
import logging
import socket

import uvicorn
from mcp.server import NotificationOptions, Server
from mcp.server.sse import SseServerTransport
from mcp.types import SamplingMessage, TextContent, Tool
from starlette.applications import Starlette
from starlette.routing import Mount, Route

logging.disable()

server = Server("python-1.0")
transport = SseServerTransport("/messages/")


begun = 0
cancelled = 0
tasks = set()


@server.list_tools()
async def tools():
    numbers = {"a": {"type": "number"}, "b": {"type": "number"}}
    told = {
        "add": "Adds two numbers.",
        "ask": "Asks for a name and greets.",
        "change": "Tells of a change a little later.",
        "fail": "Fails.",
        "seen": "How many waited, and were cancelled.",
        "wait": "Waits a while; meanwhile nobody else is answered.",
    }
    schema = {"type": "object"}
    of = {"add": {"type": "object", "properties": numbers}}
    return [Tool(name=name, description=told[name], inputSchema=of.get(name, schema)) for name in told]


@server.call_tool()
async def call(name, arguments):
    return [TextContent(type="text", text=await globals()[name](**arguments))]


async def add(a, b):
    return f"{a + b:g}"


async def ask():
    question = TextContent(type="text", text="What is your name?")
    session = server.request_context.session
    message = SamplingMessage(role="user", content=question)
    return (await session.create_message([message], max_tokens=10)).content.text


async def change():
    session = server.request_context.session

    async def tell():
        await asyncio.sleep(0.3)
        await session.send_tool_list_changed()

    task = asyncio.create_task(tell())
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return "soon"


# Not in the list: this SDK loses the token of those who want to know.
async def count():
    context = server.request_context
    if context.meta and context.meta.progressToken is not None:
        for progress in [1, 2, 3]:
            await context.session.send_progress_notification(context.meta.progressToken, progress)
    return "3"


async def fail():
    raise ValueError("It failed.")


async def seen():
    return f"begun {begun} cancelled {cancelled}"


async def wait():
    global begun, cancelled
    begun += 1
    try:
        await asyncio.sleep(2)
    except asyncio.CancelledError:
        cancelled += 1
        raise
    return "nobody cancelled"


class Stream:
    async def __call__(self, scope, receive, send):
        async with transport.connect_sse(scope, receive, send) as (reader, writer):
            changes = NotificationOptions(tools_changed=True)
            await server.run(reader, writer, server.create_initialization_options(changes))


app = Starlette(
    routes=[
        Route("/sse", Stream(), methods=["GET"]),
        Mount("/messages/", transport.handle_post_message),
    ]
)
listener = socket.create_server(("127.0.0.1", 0))
print(f"http://127.0.0.1:{listener.getsockname()[1]}/sse", flush=True)
config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)
uvicorn.Server(config).run(sockets=[listener])
