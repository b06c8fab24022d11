"""What the servers made in Python have in common: the tools that each of those SDKs is given in the same
words, and where they listen."""

import asyncio
import socket

import uvicorn


def give(tool, Context, changed=lambda context: [context.session.send_tool_list_changed]):
    """Gives the server its tools: by this decorator of its SDK, with what that calls a context, and
    what is to be awaited there to tell that the tools changed."""
    begun = 0
    cancelled = 0
    tasks = set()

    @tool
    def add(a: float, b: float) -> str:
        """Adds two numbers."""
        return f"{a + b:g}"

    @tool
    async def count(context: Context) -> str:
        """Counts to three and tells how far it is."""
        for progress in [1, 2, 3]:
            await context.report_progress(progress)
        return "3"

    @tool
    async def wait() -> str:
        """Waits until it is cancelled."""
        nonlocal begun, cancelled
        begun += 1
        try:
            await asyncio.sleep(20)
        except asyncio.CancelledError:
            cancelled += 1
            raise
        return "nobody cancelled"

    @tool
    def seen() -> str:
        """How many waited, and were cancelled."""
        return f"begun {begun} cancelled {cancelled}"

    @tool
    def fail() -> str:
        """Fails."""
        raise ValueError("It failed.")

    @tool
    async def change(context: Context) -> str:
        """Tells of a change a little later."""
        sends = changed(context)

        async def tell():
            await asyncio.sleep(0.3)
            for send in sends:
                await send()

        task = asyncio.create_task(tell())
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return "soon"


def serve(app, path):
    """Serves on a free port, and prints the address."""
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}{path}", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="critical")).run(sockets=[listener])
