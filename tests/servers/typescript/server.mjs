// A server made with the first TypeScript SDK: server.mjs SDK PATH. The SDK is one of those that
// package.json names. The path says what is spoken: HTTP+SSE under /sse, sessions under /mcp, neither
// sessions nor streams under /json. One or two tools. Prints the address it listens on.

import { randomUUID } from "node:crypto";
import { createServer } from "node:http";

const [sdk, path] = process.argv.slice(2);
const part = (file) => import(`${sdk}/${file}.js`);
const { Server } = await part("server/index");
const { CallToolRequestSchema, ListToolsRequestSchema } = await part("types");

const number = { type: "number" };
const add = {
  name: "add",
  description: "Adds two numbers.",
  inputSchema: { type: "object", properties: { a: number, b: number } },
};
const count = {
  name: "count",
  description: "Counts to three and tells how far it is.",
  inputSchema: { type: "object" },
};
// What is told meanwhile needs a stream.
const tools = path === "/json" ? [add] : [add, count];

const sessions = new Map();

/** Lets a server of its own answer what comes by a transport. */
async function serve(transport) {
  const about = { name: "typescript", version: "1.0.0" };
  const server = new Server(about, { capabilities: { tools: {} } });
  const text = (text) => ({ content: [{ type: "text", text }] });
  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools }));
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, { sendNotification }) => {
    if (params.name === "add") {
      return text(String(params.arguments.a + params.arguments.b));
    }
    const progressToken = params._meta?.progressToken;
    for (const progress of progressToken === undefined ? [] : [1, 2, 3]) {
      const told = { method: "notifications/progress", params: { progressToken, progress } };
      // The oldest SDKs know one stream only.
      await (sendNotification?.(told) ?? server.notification(told));
    }
    return text("3");
  });
  server.onclose = () => sessions.delete(transport.sessionId);
  await server.connect(transport);
  return transport;
}

async function openStream(response) {
  const { SSEServerTransport } = await part("server/sse");
  const transport = new SSEServerTransport("/messages", response);
  sessions.set(transport.sessionId, transport);
  await serve(transport);
}

async function streamable(options) {
  const { StreamableHTTPServerTransport } = await part("server/streamableHttp");
  return serve(new StreamableHTTPServerTransport(options));
}

/** A session that a client is about to begin. */
async function openSession() {
  const transport = await streamable({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (id) => void sessions.set(id, transport),
  });
  return transport;
}

const listener = createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://127.0.0.1");
  const id = searchParams.get("sessionId") ?? request.headers["mcp-session-id"];
  const transport = sessions.get(id);
  const route = `${request.method} ${pathname}`;
  if (route === "GET /sse") {
    await openStream(response);
  } else if (route === "POST /messages" && transport) {
    await transport.handlePostMessage(request, response);
  } else if (pathname === "/mcp" && (transport || !id)) {
    await (transport ?? (await openSession())).handleRequest(request, response);
  } else if (route === "POST /json") {
    const once = await streamable({ sessionIdGenerator: undefined, enableJsonResponse: true });
    await once.handleRequest(request, response);
  } else {
    response.writeHead(pathname === "/json" ? 405 : 404).end();
  }
});
listener.listen(0, "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${listener.address().port}${path}`);
});
