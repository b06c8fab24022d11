// Carries the requests of the machine in a WebAssembly module with fetch, and tells it the time.
//
//     node host.mjs MODULE URL METHOD [PARAMS] [--time-out MILLISECONDS] [--lose-session]
//
// The result goes to stdout, what happened on the way to stderr. With --lose-session the session
// is ended behind the machine's back when the call is about to leave.

import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";

const { module, order, ...options } = commandLine();
/** The exchanges under way, each with what aborts it. */
const exchanges = new Map();
/** Those who wait for the next turn. */
const waiting = [];
let timer;

/** What the module may call. None of it calls back. */
const host = {
  abort: (exchange) => exchanges.get(exchange)?.abort(),
  end(done, ...text) {
    console[done ? "log" : "error"](read(...text));
    process.exitCode = done ? 0 : 1;
  },
  send(exchange, target, targetLength, body, bodyLength) {
    carry(exchange, JSON.parse(read(target, targetLength)), read(body, bodyLength));
  },
  tell: (...text) => console.error(read(...text)),
  wake_at(at) {
    clearTimeout(timer);
    // Longer times than setTimeout takes are cut short: to be woken early does no harm.
    const pause = Math.min(Math.max(at - performance.now(), 0), 2 ** 31 - 1);
    if (at !== Infinity) timer = setTimeout(turn, pause, "wake");
  },
};

const { instance } = await WebAssembly.instantiate(await readFile(module), { host });
const guest = instance.exports;

// Unless the module says that all is well.
process.exitCode = 1;
const [seed] = crypto.getRandomValues(new Uint32Array(1));
turn("begin", ...write(JSON.stringify({ ...order, seed })));

function commandLine() {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: { "lose-session": { type: "boolean" }, "time-out": { type: "string" } },
    });
    const [module, url, method, params = "null", ...more] = positionals;
    if (!method || more.length) throw new Error("MODULE, URL and METHOD are needed, and PARAMS are one word");
    const timeOut = values["time-out"];
    if (timeOut !== undefined && !/^\d{1,15}$/.test(timeOut)) throw new Error("--time-out takes milliseconds");
    const order = { url, method, params: JSON.parse(params), timeOut: timeOut && Number(timeOut) };
    return { module, order, loseSession: values["lose-session"] };
  } catch (error) {
    console.error(`error: ${error.message}`);
    console.error("usage: node host.mjs MODULE URL METHOD [PARAMS] [--time-out MILLISECONDS] [--lose-session]");
    process.exit(2);
  }
}

/** Reports something to the machine. */
function turn(report, ...what) {
  guest[report](...what, performance.now());
  for (const resume of waiting.splice(0)) resume();
}

async function carry(exchange, { url, headers: own, ...target }, body) {
  const controller = new AbortController();
  exchanges.set(exchange, controller);
  const { signal } = controller;
  try {
    if (options.loseSession && body && JSON.parse(body).method === order.method) {
      options.loseSession = false;
      await fetch(url, { method: "DELETE", headers: own });
    }
    // fetch would ask for compression, which holds events back.
    const headers = [...own, ["accept-encoding", "identity"]];
    // Redirects are the machine's to follow. Node's fetch gives up after 5 min without a byte.
    const response = await fetch(url, { ...target, headers, body: body || undefined, redirect: "manual", signal });
    const head = { status: response.status, headers: [...response.headers] };
    turn("head", exchange, ...write(JSON.stringify(head)));
    for await (const chunk of response.body ?? []) {
      turn("body", exchange, ...write(chunk));
      while (!signal.aborted && !guest.wants_read(exchange)) {
        await new Promise((resume) => waiting.push(resume));
      }
    }
    turn("end_of_body", exchange);
  } catch (error) {
    if (!signal.aborted) {
      turn("failed", exchange, neverSent(error), ...write(String(error.cause ?? error)));
    }
  } finally {
    exchanges.delete(exchange);
  }
}

/** Whether certainly nothing reached the server; what does not say so may have. */
function neverSent({ cause }) {
  return ["EAI_AGAIN", "ECONNREFUSED", "ENOTFOUND", "UND_ERR_CONNECT_TIMEOUT"].includes(cause?.code);
}

/** Text that the module lends. */
function read(start, length) {
  return new TextDecoder().decode(new Uint8Array(guest.memory.buffer, start, length));
}

/** Gives text or bytes to the module. */
function write(content) {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const start = guest.allocate(bytes.length);
  new Uint8Array(guest.memory.buffer, start, bytes.length).set(bytes);
  return [start, bytes.length];
}
