// The daemon releases everything that it finds at the simulator, through Prism, which knows the providers' own OpenAPI documents: neither says a word
// that a document rejects.
// Usage: contract.mjs PROGRAM ENVIRONMENT, as run.sh calls it.

import assert from "node:assert/strict";
import fs from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";

import { FACES } from "./faces.mjs";
import { Prism } from "./prism.mjs";
import { Process, eventually } from "./process.mjs";

const [program, environment] = process.argv.slice(2);
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "contract-"));
process.on("exit", () => fs.rmSync(folder, { recursive: true, force: true }));

/** Calls an API through Prism, with the key of this test; gives the answer's body. */
async function call(face, method, name, body) {
  const headers = { [face.header]: face.key, "content-type": "application/json" };
  const answer = await fetch(face.prism.address + face.base + name, { method, headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  assert.ok(answer.ok, `${face.name}: ${method} ${name}: ${answer.status} ${text}`);
  face.prism.calls += 1;
  return JSON.parse(text);
}

async function create(face) {
  face.lives = [];
  for (const [name, body, shown] of face.creates) {
    const answer = await call(face, "POST", name, body);
    face.lives.push({ session: answer.sessionId ?? answer.id, shown: filled(shown, answer) });
    if (name === face.leaves.creates && !face.left) await leave(face, answer);
  }
  face.made = face.prism.calls;
}

/** What was created is used, or its work is ended, so that it has a last activity of which the daemon can be told. */
async function leave(face, created) {
  face.left = created.sessionId ?? created.id;
  let last = created;
  for (const [method, name, body, beside] of face.leaves.steps) {
    // A call of the simulator's own is in no document.
    const by = beside ? { ...face, prism: { address: upstream, calls: 0 } } : face;
    last = await call(by, method, filled(name, last), body && JSON.parse(filled(JSON.stringify(body), last)));
  }
}

const filled = (template, answer) => template.replace(/\{(\w+)\}/, (_, field) => answer[field]);

function configuration(limit) {
  const account = ({ name, provider, base }) =>
    `[[accounts]]\nname = "${name}"\nprovider = "${provider}"\napi_key_env = "${variable(name)}"\nbase_url = "${base}"\n`;
  return `
    mode = "enforce"
    poll_interval = "1s"
    requests_per_second = 1000
    [server]
    listen = "127.0.0.1:0"
    [store]
    path = ":memory:"
    [guardrails]
    min_age = "0s"
    skip_expiring_within = "0s"
    max_releases_per_poll = 1000
    max_release_fraction = 1.0
    [[policies]]
    name = "everything"
    match = "all"
    ${limit}
    ${FACES.map((face) => account({ ...face, base: face.prism.address + face.base })).join("\n")}`;
}

const variable = (name) => `KEY_OF_${name.replaceAll("-", "_")}`;

const file = path.join(folder, "session-reaper.toml");

async function daemon(limit) {
  fs.writeFileSync(file, configuration(limit));
  const ours = Object.entries(process.env).filter(([name]) => !name.startsWith("SESSION_REAPER"));
  const keys = FACES.map(({ name, key }) => [variable(name), key]);
  const running = new Process(program, ["--config", file, "run"], { env: Object.fromEntries([...ours, ...keys]) });
  const [, address] = await running.line(/watching in enforce mode.*?(127\.0\.0\.1:\d+)/);
  return Object.assign(running, { address });
}

/** Waits until the provider has confirmed the end of these by this limit, `ACCOUNT SESSION` each, and of no others; fails at the first violation. */
async function allConfirmed(running, wanted, limit) {
  const confirmed = async () => {
    for (const face of FACES) assert.deepEqual(face.prism.violations(), [], face.name);
    const { releases } = await (await fetch(`http://${running.address}/api/v1/releases?limit=1000`)).json();
    const known = releases.filter((release) => release.outcome === "confirmed" && release.limit === limit).map(({ account, id }) => `${account} ${id}`);
    assert.deepEqual(known.filter((session) => !wanted.includes(session)), [], `released by ${limit}`);
    return wanted.every((session) => known.includes(session));
  };
  await eventually(confirmed, `all releases by ${limit} are confirmed`).catch((error) => {
    console.error(running.lines.join("\n"));
    throw error;
  });
}

/** What was left goes by what its provider tells of its activity, and then everything else by its age. */
async function allReleased(running) {
  const left = FACES.map((face) => `${face.name} ${face.left}`);
  await allConfirmed(running, left, "idle");
  fs.writeFileSync(file, configuration('max_age = "1s"'));
  running.child.kill("SIGHUP");
  const all = FACES.flatMap(({ name, lives }) => lives.map(({ session }) => `${name} ${session}`));
  await allConfirmed(running, all.filter((session) => !left.includes(session)), "max_age");
}

/** What the daemon asked of this face: everything that it has to ask to do its work, and nothing that the document does not know. */
function judgeRequests(face) {
  const all = face.prism.requests();
  // Between our own calls: those that created, and those that looked again when the daemon was gone.
  const requests = all.slice(face.made, all.length - (face.prism.calls - face.made));
  assert.deepEqual([...new Set(requests.map(({ operation }) => operation))].sort(), face.asks, `${face.name}: what the daemon asks`);
  assert.deepEqual(requests.flatMap((request) => face.prism.unknownParameters(request)), [], `${face.name}: parameters`);
  console.log(`${face.name}: ${requests.length} requests and their answers are as the document says`);
}

/** Everything that was created reads as ended, and so does every browser that came of it. */
async function judgeEnds(face) {
  const things = face.lives.map(({ shown }) => shown);
  if (face.provider === "browser-use") {
    const { items } = await call(face, "GET", "/browsers?pageSize=100");
    assert.ok(items.length > 1, `${face.name}: agents have browsers`);
    things.push(...items.map(({ id }) => `/browsers/${id}`));
  }
  for (const thing of things) {
    const { status } = await call(face, "GET", thing);
    assert.ok(["COMPLETED", "stopped", "cancelled"].includes(status), `${face.name}: ${thing} is ${status}`);
  }
}

/** What lives and has lived in the seeded world is told as the document says, too. */
async function judgeSeeded(face) {
  for (const listing of face.listings) {
    const answer = await call({ ...face, key: face.seeded }, "GET", listing);
    const rows = Array.isArray(answer) ? answer : Object.values(answer).find(Array.isArray);
    assert.ok(rows.length > 1, `${face.name}: ${listing} of the seeded world shows something`);
  }
}

/** A request that the document rejects does not get through, and is the only thing that Prism has to find fault with. */
async function judgeMistake(face) {
  const [method, name, body] = face.mistake;
  await assert.rejects(call(face, method, name, body), /: 422 /, `${face.name}: a wrong request passes`);
  await eventually(() => face.prism.violations().length, `${face.name}: a wrong request is found`);
  assert.match(face.prism.violations().join("\n"), /^\S.*Request terminated with error: \S+#UNPROCESSABLE_ENTITY[^\n]*$/, `${face.name}: violations`);
}

/** An answer that the document rejects does not get through either. */
async function judgeLiar(face) {
  const liar = http.createServer((_, answer) => answer.setHeader("content-type", "application/json").end('[{"id": 7}]'));
  await new Promise((listening) => liar.listen(0, "127.0.0.1", listening));
  const prism = await Prism.start(face.name, `http://127.0.0.1:${liar.address().port}`, environment, folder);
  await assert.rejects(call({ ...face, prism }, "GET", "/v1/sessions"), /: 500 .*must/, "a wrong answer passes");
  await eventually(() => prism.violations().length, "a wrong answer is found");
  liar.close();
}

const simulate = new Process(program, ["simulate", "--listen", "127.0.0.1:0"]);
const [, upstream] = await simulate.line(/simulate: Browserbase at (\S+)/);
await Promise.all(FACES.map(async (face) => (face.prism = await Prism.start(face.name, upstream, environment, folder))));
await Promise.all(FACES.map(create));
const running = await daemon('idle = "500ms"');
await allReleased(running);
assert.equal(await running.stop(), 0, running.lines.join("\n"));
await Promise.all(FACES.map(judgeEnds));
await Promise.all(FACES.map(judgeSeeded));
await Promise.all([...FACES.map(judgeMistake), judgeLiar(FACES[0])]);
FACES.forEach(judgeRequests);
process.exit(0);
