"""A server made with the oldest Python SDK: HTTP+SSE, one tool. Prints the address it listens on."""

import logging
import socket

import uvicorn
from mcp.server import Server
from mcp.server.sse import SseServerTransport
from mcp.types import TextContent, Tool
from starlette.applications import Starlette
from starlette.routing import Mount, Route

logging.disable()

server = Server("python-1.0")
transport = SseServerTransport("/messages/")


@server.list_tools()
async def tools():
    numbers = {"a": {"type": "number"}, "b": {"type": "number"}}
    schema = {"type": "object", "properties": numbers}
    return [Tool(name="add", description="Adds two numbers.", inputSchema=schema)]


@server.call_tool()
async def call(name, arguments):
    return [TextContent(type="text", text=f"{arguments['a'] + arguments['b']:g}")]


class Stream:
    async def __call__(self, scope, receive, send):
        async with transport.connect_sse(scope, receive, send) as (reader, writer):
            await server.run(reader, writer, server.create_initialization_options())


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
