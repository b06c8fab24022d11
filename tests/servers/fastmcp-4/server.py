"""A server made with FastMCP 4. The argument says what is spoken: HTTP+SSE
under /sse, sessions under /mcp, the same without streams for calls under /answers; without sessions
under /stateless, and then without streams too under /json. Prints the address it listens on."""

import logging
import pathlib
import sys
from typing import Annotated

from fastmcp import Context, FastMCP
from mcp_types import ElicitRequest, ElicitRequestFormParams, InputRequiredResult
from pydantic import BaseModel, Field

# What is beside this folder.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import tools

logging.disable()

path = sys.argv[1]
server = FastMCP("fastmcp")
tools.give(server.tool, Context)


class Person(BaseModel):
    name: str


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


if path == "/sse":
    app = server.http_app(path=path, transport="sse")
else:
    json, stateless = path in ("/answers", "/json"), path in ("/stateless", "/json")
    app = server.http_app(path=path, json_response=json, stateless_http=stateless)
tools.serve(app, path)
