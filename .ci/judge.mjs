// Reads the checks of one run of the conformance suite: judge.mjs [--spoil] FOLDER CHECK…
//
// A check is `id`, or `id:name` where several have one id; `=STATUS` where it is not SUCCESS that is
// wanted. The run passes if the client ended well, every check that is expected is there with its
// status, as often as it is there, and no other check failed, warned or was skipped. Where a check
// compares with a default only the type, the value counts here.
//
// With --spoil, a run that passes is spoilt in every way that must not pass: each expected check is taken
// out, failed, and given another value; and the client did not end well.

import { readFileSync } from "node:fs";

const words = process.argv.slice(2);
const spoil = words[0] === "--spoil";
const [folder, ...expected] = spoil ? words.slice(1) : words;
const read = (file) => readFileSync(folder + file, "utf8");
const run = { checks: JSON.parse(read("checks.json")), output: read("stdout.txt").trim() };

function parts(item) {
  const [, id, name, status = "SUCCESS"] = /^([^:=]+)(?::([^=]+))?(?:=(.+))?$/.exec(item);
  return { status, is: (check) => check.id === id && (!name || check.name === name) };
}

/** What is wrong with a run. */
function missed({ checks, output }) {
  const missed = output === "done" ? [] : ["the client did not end well"];
  const explained = new Set();
  for (const item of expected) {
    const { is, status } = parts(item);
    const found = checks.filter(is);
    if (found.length === 0) missed.push(`${item}: not reached`);
    for (const check of found) {
      explained.add(check);
      if (check.status !== status) missed.push(`${item}: ${check.status} ${check.errorMessage ?? ""}`);
      const { expectedDefault, receivedValue } = check.details ?? {};
      if (expectedDefault !== receivedValue && expectedDefault !== undefined)
        missed.push(`${item}: ${receivedValue} instead of ${expectedDefault}`);
    }
  }
  for (const check of checks)
    if (!explained.has(check) && !["SUCCESS", "INFO"].includes(check.status))
      missed.push(`${check.id}:${check.name}: ${check.status} ${check.errorMessage ?? ""}`);
  return missed;
}

/** What was spoilt and not noticed. */
function unnoticed() {
  const unnoticed = [];
  const attempt = (what, run) => missed(run).length > 0 || unnoticed.push(what);
  attempt("the client did not end well", { ...run, output: "" });
  for (const item of expected) {
    const { is } = parts(item);
    const change = (more) => run.checks.map((check) => (is(check) ? { ...check, ...more(check) } : check));
    attempt(`${item} missing`, { ...run, checks: run.checks.filter((check) => !is(check)) });
    attempt(`${item} failed`, { ...run, checks: change(() => ({ status: "FAILURE" })) });
    if (run.checks.some((check) => is(check) && check.details?.expectedDefault !== undefined)) {
      const another = ({ details }) => ({ details: { ...details, receivedValue: "another" } });
      attempt(`${item} with another value`, { ...run, checks: change(another) });
    }
  }
  const stray = { id: "stray", name: "stray", status: "WARNING" };
  attempt("another check with a warning", { ...run, checks: [...run.checks, stray] });
  return unnoticed.map((what) => `not noticed: ${what}`);
}

const faults = spoil ? unnoticed() : missed(run);
console.log(faults.join("\n"));
process.exitCode = Number(faults.length > 0);
