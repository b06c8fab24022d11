// A server made with the second TypeScript SDK: every revision, no sessions, three tools. Prints the
// address it listens on.

import { createServer } from "node:http";

import { toNodeHandler } from "@modelcontextprotocol/node";
import { McpServer, createMcpHandler, inputRequired } from "@modelcontextprotocol/server";
import { z } from "zod";

const name = z.object({ name: z.string() });

/** What answers one request. */
function answerer() {
  const server = new McpServer({ name: "typescript", version: "2.0.0" });
  const text = (text) => ({ content: [{ type: "text", text }] });
  server.registerTool(
    "add",
    { description: "Adds two numbers.", inputSchema: z.object({ a: z.number(), b: z.number() }) },
    ({ a, b }) => text(String(a + b)),
  );
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
    return text(`${answer.action}, ${requestState()}`);
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

const listener = createServer(toNodeHandler(createMcpHandler(answerer)));
listener.listen(0, "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${listener.address().port}/mcp`);
});
