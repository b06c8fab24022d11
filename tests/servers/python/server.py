"""A server made with the Python SDK: sessions, one tool. Prints the address it listens on."""

import socket

import uvicorn
from mcp.server.fastmcp import FastMCP

server = FastMCP("python", log_level="CRITICAL")


@server.tool()
def add(a: float, b: float) -> str:
    """Adds two numbers."""
    return f"{a + b:g}"


listener = socket.create_server(("127.0.0.1", 0))
print(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp", flush=True)
config = uvicorn.Config(server.streamable_http_app(), log_level="warning")
uvicorn.Server(config).run(sockets=[listener])
