// A server that begins to answer calls and then falls silent. Prints the address it listens on.

import { createServer } from "node:http";
import { json } from "node:stream/consumers";

const initialized = {
  protocolVersion: "2025-11-25",
  capabilities: { tools: {} },
  serverInfo: { name: "silent", version: "1.0.0" },
};

const server = createServer(async (request, response) => {
  const message = request.method === "POST" ? await json(request) : {};
  if (message.method === "initialize") {
    response.setHeader("content-type", "application/json");
    response.setHeader("mcp-session-id", "silent");
    response.end(JSON.stringify({ jsonrpc: "2.0", id: message.id, result: initialized }));
  } else if ("id" in message) {
    response.setHeader("content-type", "text/event-stream");
    response.write(": at work\n\n");
  } else {
    response.writeHead(202).end();
  }
});
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}/mcp`));
