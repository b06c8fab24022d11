"""A server made with the first Python SDK. The argument says what is spoken: HTTP+SSE
under /sse, sessions under /mcp, the same without streams for calls under /answers; without sessions
under /stateless, and then without streams too under /json. Prints the address it listens on."""

import pathlib
import sys

from mcp.server.fastmcp import Context, FastMCP
from pydantic import BaseModel

# What is beside this folder.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import tools

path = sys.argv[1]
server = FastMCP(
    "python",
    log_level="CRITICAL",
    streamable_http_path=path,
    json_response=path in ("/answers", "/json"),
    stateless_http=path in ("/stateless", "/json"),
)
tools.give(server.tool(), Context)


class Person(BaseModel):
    name: str


@server.tool()
async def ask(context: Context) -> str:
    """Asks for a name and greets."""
    answer = await context.elicit("What is your name?", Person)
    return f"{answer.action} {answer.data.name if answer.action == 'accept' else ''}"


app = server.sse_app() if path == "/sse" else server.streamable_http_app()
tools.serve(app, path)
