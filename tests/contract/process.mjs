// Processes beside this one that are never left behind, and waiting for a state instead of for luck.

import { spawn } from "node:child_process";

/** Longer than anything that works takes, on a busy machine too. */
const PATIENCE_MS = 60_000;

const running = new Set();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(1));

/** A running program; `lines` is everything that it has said so far, on both streams. */
export class Process {
  lines = [];

  constructor(program, args, options = {}) {
    this.child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
    running.add(this.child);
    this.ended = new Promise((resolve, reject) => {
      this.child.on("error", reject);
      this.child.on("close", (status) => (running.delete(this.child), resolve(status)));
    });
    for (const stream of [this.child.stdout, this.child.stderr]) this.#listen(stream.setEncoding("utf8"));
  }

  /** The first line that this expression fits, said already or to come; gives the match. */
  async line(expression) {
    const found = () => this.lines.map((line) => expression.exec(line)).find(Boolean);
    return eventually(() => found() ?? this.#goesOn(), `a line like ${expression} of ${this.child.spawnargs.join(" ")}`);
  }

  /** Asks it to stop; gives its exit status. */
  async stop() {
    this.child.kill("SIGTERM");
    return this.ended;
  }

  #goesOn() {
    if (this.child.exitCode !== null) throw new Error(`${this.child.spawnargs.join(" ")} ended:\n${this.lines.join("\n")}`);
  }

  #listen(stream) {
    let rest = "";
    stream.on("data", (text) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop();
      this.lines.push(...lines);
    });
  }
}

/** Tries until there is something; fails with `what` when there is nothing in time, or at once when a try does. */
export async function eventually(attempt, what) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await attempt();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`not within ${PATIENCE_MS / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
