// Looks at the page as people do, in a real Chromium.
// Usage: page.mjs PROGRAM MODULES CHROMIUM SHOTS, as run.sh calls it.

import fs from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";

import { addresses } from "./addresses.mjs";
import { launch } from "./browser.mjs";
import { hostile, sessions } from "./hostile.mjs";
import { login } from "./login.mjs";
import { looks } from "./looks.mjs";
import { outage } from "./outage.mjs";
import { refreshing } from "./refreshing.mjs";
import { scriptless } from "./scriptless.mjs";
import { demo, guarded, still } from "./stage.mjs";

const [program, modules, executable, shots] = process.argv.slice(2);
const TOKEN = "a-token-of-this-test";
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "page-"));
process.on("exit", () => fs.rmSync(folder, { recursive: true, force: true }));
const installed = createRequire(path.join(path.resolve(modules), "package.json"));
const axe = fs.readFileSync(installed.resolve("axe-core/axe.min.js"), "utf8");
fs.mkdirSync(shots, { recursive: true });

const [browser, live, calm, brittle, closed] = await Promise.all([
  launch(installed("playwright-core").chromium, executable),
  demo(program),
  still(program, folder, "calm", sessions()),
  still(program, folder, "brittle", sessions()),
  guarded(program, folder, TOKEN),
]);
const stage = { browser, live, calm, brittle, closed, token: TOKEN, axe, shots };
// While one of them is worked on: ONLY=looks,login
const only = process.env.ONLY ? process.env.ONLY.split(",") : undefined;

/** Side by side, since most of them mostly wait. */
async function run(...parts) {
  const wanted = parts.filter((part) => !only || only.includes(part.name));
  await Promise.all(
    wanted.map(async (part) => {
      const began = Date.now();
      try {
        await part(stage);
      } catch (why) {
        throw new Error(`${part.name}: ${why.stack}`);
      }
      console.log(`${part.name}: holds (${((Date.now() - began) / 1000).toFixed(1)} s)`);
    }),
  );
}

try {
  await run(refreshing, login, addresses, scriptless, hostile, outage, looks);
} catch (why) {
  console.error(why.message);
  process.exit(1);
}
await browser.close();
console.log(`Chromium ${browser.version()}, pictures in ${shots}`);
console.log(only ? `page: ${only} alone` : "page: everything holds");
process.exit(0);
