"""A server made with the second Python SDK: every revision, three tools. Prints the address it
listens on."""

import socket
from typing import Annotated

import uvicorn
from mcp.server.elicitation import ElicitationResult
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.resolve import Elicit, Resolve
from pydantic import BaseModel, Field

server = MCPServer("python", log_level="CRITICAL")


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
    return f"{person.action}, asked"


@server.tool()
def mirror(place: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Place"})]) -> str:
    """Says where it is; the place is in a header too."""
    return place


listener = socket.create_server(("127.0.0.1", 0))
print(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp", flush=True)
config = uvicorn.Config(server.streamable_http_app(), log_level="warning")
uvicorn.Server(config).run(sockets=[listener])
