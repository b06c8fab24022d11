// Starts the server `@modelcontextprotocol/server-everything`: everything.mjs MODE PATH, the path
// being that of the mode. Prints the address it listens on.

import { Server } from "node:net";

const path = process.argv[3];
const { emit } = Server.prototype;
Server.prototype.emit = function (event, ...rest) {
  if (event === "listening") {
    console.log(`http://127.0.0.1:${this.address().port}${path}`);
  }
  return emit.call(this, event, ...rest);
};
process.env.PORT = "0";
await import("@modelcontextprotocol/server-everything/dist/index.js");
