// The daemons that are looked at: the demonstration, one on a provider of this test's making, and one behind a token.

import fs from "node:fs";
import http from "node:http";
import path from "node:path";

import { Process, eventually } from "../contract/process.mjs";

/** What it is to know of this shell's environment, and these. */
const environment = (more) => ({ ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("SESSION_REAPER"))), ...more });

/** The demonstration, once it has released something. */
export async function demo(program) {
  const running = new Process(program, ["demo", "--listen", "127.0.0.1:0", "--for", "5m"], { env: environment({}) });
  const [, address] = await running.line(/(http:\/\/127\.0\.0\.1:\d+)\/metrics/);
  await running.line(/released and confirmed/);
  return Object.assign(running, { address });
}

/** A daemon with this configuration, once it watches. */
export async function daemon(program, folder, name, text, keys) {
  const file = path.join(folder, `${name}.toml`);
  fs.writeFileSync(file, text);
  const running = new Process(program, ["--config", file, "run"], { env: environment(keys) });
  const [, address] = await running.line(/watching in \w+ mode.*?(127\.0\.0\.1:\d+)/);
  return Object.assign(running, { address: `http://${address}` });
}

/** Seeded sessions at simulated providers. */
export async function simulate(program) {
  const running = new Process(program, ["simulate", "--listen", "127.0.0.1:0"], { env: environment({}) });
  const [, address] = await running.line(/Browserbase at (http:\/\/127\.0\.0\.1:\d+)/);
  return Object.assign(running, { address });
}

/** A Browserbase that lists what it is given, and ends what it is told to. */
export class Provider {
  constructor(sessions) {
    this.sessions = new Map(sessions.map((session) => [session.id, session]));
    this.server = http.createServer((request, answer) => this.#answer(request, answer));
  }

  async listen() {
    await new Promise((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    this.server.unref();
    return `http://127.0.0.1:${this.server.address().port}`;
  }

  #answer(request, answer) {
    const { pathname, searchParams } = new URL(request.url, "http://provider");
    const known = this.sessions.get(decodeURIComponent(pathname.split("/")[3] ?? ""));
    if (request.method === "POST" && known) Object.assign(known, { status: "COMPLETED", endedAt: new Date().toISOString() });
    const running = () => [...this.sessions.values()].filter(({ status }) => status === searchParams.get("status"));
    const body = pathname === "/v1/sessions" ? running() : known;
    answer.writeHead(body ? 200 : 404, { "content-type": "application/json" }).end(JSON.stringify(body ?? { message: "none" }));
    request.resume();
  }
}

const AN_HOUR = 3_600_000;

/** A session as Browserbase's listing shows it. */
export function session(id, { age, lasts = 20 * AN_HOUR, metadata = {} }) {
  const at = (ms) => new Date(Date.now() + ms).toISOString();
  const times = { createdAt: at(-age), startedAt: at(-age), updatedAt: at(-age), expiresAt: at(lasts) };
  return { id, status: "RUNNING", projectId: "p", region: "us-west-2", keepAlive: true, proxyBytes: 0, userMetadata: metadata, ...times };
}

/** A daemon whose sessions stand still: some wait, some are due and held, and those older than a day were released. */
export async function still(program, folder, name, sessions) {
  const provider = await new Provider(sessions).listen();
  const text = (listen) => `
    mode = "enforce"
    poll_interval = "1s"
    [server]
    listen = "${listen}"
    [store]
    path = "${path.join(folder, `${name}.db`)}"
    [guardrails]
    max_release_fraction = 1.0
    skip_expiring_within = "1h"
    [[accounts]]
    name = "growth"
    provider = "browserbase"
    api_key_env = "KEY"
    base_url = "${provider}"
    [[accounts]]
    name = "refused"
    provider = "browserbase"
    api_key_env = "KEY"
    base_url = "${provider}/nothing-is-here"
    [[policies]]
    name = "production"
    match = { metadata = { env = "production" } }
    protect = true
    [[policies]]
    name = "research"
    match = { metadata = { team = "research" } }
    max_age = "20h"
    budget = { browser_hours = 5000, per = "metadata.team", every = "week", time_zone = "UTC" }
    [[policies]]
    name = "stricter"
    match = "all"
    max_age = "2h"
    shadow = true
    [[policies]]
    name = "everything-else"
    match = "all"
    max_age = "24h"`;
  const start = (listen) => daemon(program, folder, name, text(listen), { KEY: "bb_test" });
  const running = await start("127.0.0.1:0");
  const settled = async () => {
    const { releases = [] } = await (await fetch(`${running.address}/api/v1/releases`)).json();
    return releases.filter(({ outcome }) => outcome === "confirmed").length === [...sessions].filter(({ id }) => id.startsWith("old")).length;
  };
  await eventually(settled, "what is old has been released");
  return Object.assign(running, { again: () => start(new URL(running.address).host) });
}

/** A daemon whose page wants a token. */
export async function guarded(program, folder, token) {
  const provider = await simulate(program);
  const file = path.join(folder, "token");
  fs.writeFileSync(file, token, { mode: 0o600 });
  const text = `
    mode = "observe"
    poll_interval = "1s"
    [server]
    listen = "127.0.0.1:0"
    token_file = "${file}"
    [store]
    path = ":memory:"
    [[accounts]]
    name = "growth"
    provider = "browserbase"
    api_key_env = "KEY"
    base_url = "${provider.address}"
    [[policies]]
    name = "everything"
    match = "all"
    max_age = "4h"`;
  return daemon(program, folder, "guarded", text, { KEY: "bb_demo" });
}
