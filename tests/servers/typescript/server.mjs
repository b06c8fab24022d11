// A server made with the first TypeScript SDK: server.mjs SDK PATH. The SDK is one of those that
// package.json names. The path says what is spoken: HTTP+SSE under /sse, sessions under /mcp, either
// under /dual, sessions without streams for calls under /answers, neither sessions nor streams under
// /json. Prints the address it listens on.

import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

const [sdk, path] = process.argv.slice(2);
const part = (file) => import(`${sdk}/${file}.js`);
const { Server } = await part("server/index");
const types = await part("types");
const { CallToolRequestSchema, ListToolsRequestSchema } = types;

const number = { type: "number" };
const plain = { type: "object" };
const tools = [
  {
    name: "add",
    description: "Adds two numbers.",
    inputSchema: { type: "object", properties: { a: number, b: number } },
  },
  { name: "fail", description: "Fails.", inputSchema: plain },
  { name: "wait", description: "Waits until it is cancelled.", inputSchema: plain },
  { name: "seen", description: "How many waited, and were cancelled.", inputSchema: plain },
  { name: "ask", description: "Asks for a name and greets.", inputSchema: plain },
  { name: "change", description: "Tells of a change a little later.", inputSchema: plain },
];
// What is told meanwhile needs a stream.
if (path !== "/json" && path !== "/answers") {
  const description = "Counts to three and tells how far it is.";
  tools.push({ name: "count", description, inputSchema: plain });
}

const sessions = new Map();
let begun = 0;
let cancelled = 0;

/** Lets a server of its own answer what comes by a transport. */
async function serve(transport) {
  const about = { name: "typescript", version: "1.0.0" };
  const server = new Server(about, { capabilities: { tools: { listChanged: true } } });
  const text = (text) => ({ content: [{ type: "text", text }] });

  // The oldest SDKs know one stream only.
  const tell = async (extra, told) => {
    await (extra.sendNotification?.(told) ?? server.notification(told));
  };
  const request = async (extra, method, params, schema) => {
    const asked = { method, params };
    return await (extra.sendRequest?.(asked, schema) ?? server.request(asked, schema));
  };

  const called = {
    add: ({ a, b }) => text(String(a + b)),
    fail: () => ({ ...text("It failed."), isError: true }),
    seen: () => text(`begun ${begun} cancelled ${cancelled}`),
    async count(_, extra, progressToken) {
      for (const progress of progressToken === undefined ? [] : [1, 2, 3]) {
        await tell(extra, { method: "notifications/progress", params: { progressToken, progress } });
      }
      return text("3");
    },
    async wait(_, { signal }) {
      begun++;
      signal.addEventListener("abort", () => cancelled++);
      await sleep(20_000, undefined, { signal, ref: false });
      return text("nobody cancelled");
    },
    async ask(_, extra) {
      if (types.ElicitResultSchema) {
        const properties = { name: { type: "string" } };
        const form = { type: "object", properties, required: ["name"] };
        const question = { message: "What is your name?", requestedSchema: form };
        const answer = await request(extra, "elicitation/create", question, types.ElicitResultSchema);
        return text(`${answer.action} ${answer.content?.name}`);
      }
      const content = { type: "text", text: "What is your name?" };
      const question = { messages: [{ role: "user", content }], maxTokens: 10 };
      const schema = types.CreateMessageResultSchema;
      const answer = await request(extra, "sampling/createMessage", question, schema);
      return text(answer.content.text);
    },
    change() {
      const change = { method: "notifications/tools/list_changed" };
      setTimeout(() => server.notification(change).catch(() => {}), 300);
      return text("soon");
    },
  };

  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools }));
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, extra) => {
    const { name, _meta } = params;
    return await called[name](params.arguments ?? {}, extra, _meta?.progressToken);
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
    enableJsonResponse: path === "/answers",
    onsessioninitialized: (id) => void sessions.set(id, transport),
  });
  return transport;
}

const listener = createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://127.0.0.1");
  const id = searchParams.get("sessionId") ?? request.headers["mcp-session-id"];
  const transport = sessions.get(id);
  const route = `${request.method} ${pathname}`;
  if (route === "GET /sse" || (route === "GET /dual" && !id)) {
    await openStream(response);
  } else if (route === "POST /messages" && transport) {
    await transport.handlePostMessage(request, response);
  } else if (["/answers", "/dual", "/mcp"].includes(pathname) && (transport || !id)) {
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
