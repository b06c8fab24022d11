"""A server made with the first Python SDK: two tools. The argument says what is spoken: HTTP+SSE
under /sse, sessions under /mcp. Prints the address it listens on."""

import socket
import sys

import uvicorn
from mcp.server.fastmcp import Context, FastMCP

path = sys.argv[1]
server = FastMCP("python", log_level="CRITICAL")


@server.tool()
def add(a: float, b: float) -> str:
    """Adds two numbers."""
    return f"{a + b:g}"


@server.tool()
async def count(context: Context) -> str:
    """Counts to three and tells how far it is."""
    for progress in [1, 2, 3]:
        await context.report_progress(progress)
    return "3"


listener = socket.create_server(("127.0.0.1", 0))
print(f"http://127.0.0.1:{listener.getsockname()[1]}{path}", flush=True)
app = server.sse_app() if path == "/sse" else server.streamable_http_app()
uvicorn.Server(uvicorn.Config(app, log_level="critical")).run(sockets=[listener])
