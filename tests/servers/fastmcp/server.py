"""A server made with FastMCP: two tools. The argument says what is spoken: HTTP+SSE under /sse,
sessions under /mcp. Prints the address it listens on."""

import logging
import socket
import sys

import uvicorn
from fastmcp import Context, FastMCP

logging.disable()

path = sys.argv[1]
server = FastMCP("fastmcp")


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


listener = socket.create_server(("127.0.0.1", 0))
print(f"http://127.0.0.1:{listener.getsockname()[1]}{path}", flush=True)
app = server.http_app(path=path, transport="sse" if path == "/sse" else "http")
uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
