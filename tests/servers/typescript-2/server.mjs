// A server made with the second TypeScript SDK. Under /mcp every revision is spoken, none with
// sessions, and under /json the same without streams for calls; under /sessions those that have
// sessions, with them, and under /answers the same without streams for calls. Prints the address it
// listens on.

import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

import { NodeStreamableHTTPServerTransport, toNodeHandler } from "@modelcontextprotocol/node";
import { McpServer, createMcpHandler, inputRequired } from "@modelcontextprotocol/server";
import { z } from "zod";

const path = process.argv[2] ?? "/mcp";
const name = z.object({ name: z.string() });
const sessions = new Map();
let begun = 0;
let cancelled = 0;

/** What answers one request, or those of one session. */
function answerer() {
  const server = new McpServer({ name: "typescript", version: "2.0.0" });
  const text = (text) => ({ content: [{ type: "text", text }] });
  server.registerTool(
    "add",
    { description: "Adds two numbers.", inputSchema: z.object({ a: z.number(), b: z.number() }) },
    ({ a, b }) => text(String(a + b)),
  );
  server.registerTool("fail", { description: "Fails." }, () => ({
    ...text("It failed."),
    isError: true,
  }));
  const counting = { description: "Counts to three and tells how far it is." };
  server.registerTool("count", counting, async ({ mcpReq }) => {
    const progressToken = mcpReq._meta?.progressToken;
    for (const progress of progressToken === undefined ? [] : [1, 2, 3]) {
      const params = { progressToken, progress };
      await mcpReq.notify({ method: "notifications/progress", params });
    }
    return text("3");
  });
  server.registerTool("wait", { description: "Waits until it is cancelled." }, async (context) => {
    const { signal } = context.mcpReq;
    begun++;
    signal.addEventListener("abort", () => cancelled++);
    await sleep(20_000, undefined, { signal, ref: false });
    return text("nobody cancelled");
  });
  server.registerTool("seen", { description: "How many waited, and were cancelled." }, () =>
    text(`begun ${begun} cancelled ${cancelled}`),
  );
  server.registerTool("change", { description: "Tells of a change a little later." }, () => {
    setTimeout(() => {
      handler.notify.toolsChanged();
      if (server.isConnected()) {
        server.sendToolListChanged();
      }
    }, 300);
    return text("soon");
  });
  server.registerTool("ask", { description: "Asks for a name and greets." }, (context) => {
    const { inputResponses, requestState } = context.mcpReq;
    const answer = inputResponses?.name;
    if (answer === undefined) {
      const question = { message: "What is your name?", requestedSchema: name };
      return inputRequired({
        inputRequests: { name: inputRequired.elicit(question) },
        requestState: "asked",
      });
    }
    const given = answer.content ? [answer.content.name] : [];
    return text([answer.action, requestState(), ...given].join(", "));
  });
  server.registerTool(
    "mirror",
    {
      description: "Says where it is; the place is in a header too.",
      inputSchema: z.object({ place: z.string().meta({ "x-mcp-header": "Place" }) }),
    },
    ({ place }) => text(place),
  );
  return server;
}

const handler = createMcpHandler(answerer, { responseMode: path === "/json" ? "json" : "auto" });

async function openSession() {
  const transport = new NodeStreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    enableJsonResponse: path === "/answers",
    onsessioninitialized: (id) => void sessions.set(id, transport),
  });
  transport.onclose = () => sessions.delete(transport.sessionId);
  await answerer().connect(transport);
  return transport;
}

async function inSession(request, response) {
  const id = request.headers["mcp-session-id"];
  const transport = id ? sessions.get(id) : await openSession();
  if (transport) {
    await transport.handleRequest(request, response);
  } else {
    response.writeHead(404).end();
  }
}

const listener = createServer(["/json", "/mcp"].includes(path) ? toNodeHandler(handler) : inSession);
listener.listen(0, "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${listener.address().port}${path}`);
});
