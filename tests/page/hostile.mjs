// What strangers write into sessions is shown as it is, and does nothing.

import assert from "node:assert/strict";

import { Window, shown } from "./browser.mjs";
import { session } from "./stage.mjs";

const HOUR = 3_600_000;
const ATTACK = `"'><script>window.pwned = 1</script><img src=x onerror="window.pwned = 1"><svg onload=window.pwned=1>&lt;b&gt;</bdi></td></table>`;

/** Right-to-left override, embedding and isolate, none of which is ended. */
const OVERRIDE = "\u202Egnp.exe\u202B\u2067";

const HOSTILE = {
  markup: { [ATTACK]: ATTACK, "javascript:window.pwned=1": "https://example.invalid/" },
  long: { note: "w".repeat(10_240), words: "word ".repeat(2_048), ["k".repeat(300)]: "key" },
  // The first four by name are in the row.
  turned: { ["a \u202Egnp.exe"]: "plain-value", after: OVERRIDE, next: "plain-value", arabic: "مرحبا بالعالم", z: "שלום עולם" },
  drawn: { emoji: "👩‍👩‍👧‍👦🏳️‍🌈🇺🇳👍🏽", stacked: `Z${"\u0310\u0329\u0321".repeat(60)}algo`, invisible: "\u200B\u2060\u00AD\uFEFF", control: "\u0001\u001b[31m\u007F\n\tend" },
  many: Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`key-${String(n).padStart(2, "0")}`, `value ${n}`])),
  nested: { a: { b: { c: { d: [1, { e: ["<i>", null, true] }] } } }, number: 1e21, empty: {}, none: null },
};

/** The sessions of the daemon that stands still. */
export function sessions() {
  const plain = Array.from({ length: 120 }, (_, n) => {
    const team = ["research", "growth", "ml"][n % 3];
    return session(`live-${String(n).padStart(3, "0")}`, { age: (n + 1) * 60_000, metadata: { team, run: n, branch: `feature/${n}` } });
  });
  const guarded = [1, 2].map((n) => session(`guarded-${n}`, { age: 40 * HOUR, metadata: { env: "production", team: "growth" } }));
  const held = [1, 2, 3].map((n) => session(`held-${n}`, { age: 30 * HOUR, lasts: 0.9 * HOUR, metadata: { team: "growth" } }));
  const all = Object.entries(HOSTILE);
  const live = all.map(([name, metadata], n) => session(`hostile-${name}`, { age: (n + 1) * HOUR, metadata: { ...metadata, team: "hostile" } }));
  const named = session(`hostile ${ATTACK}/../ü?%2F#x`, { age: HOUR, metadata: { team: `hostile ${OVERRIDE}` } });
  const old = all.map(([name, metadata]) => session(`old-${name}`, { age: 48 * HOUR, metadata }));
  return [...plain, ...guarded, ...held, ...live, named, ...old];
}

export async function hostile({ browser, calm }) {
  const window = await Window.open(browser, calm.address, { viewport: { width: 360, height: 740 } });
  await window.go("/?q=hostile");
  const rows = await shown(window.page);
  assert.equal(rows.length, Object.keys(HOSTILE).length + 1, "every hostile session is in the list");
  await harmless(window.page);
  await readsOn(window.page);
  for (const row of rows) await ownView(window, row);
  for (const name of Object.keys(HOSTILE)) await releasedView(window, name);
  await window.go("/releases");
  await harmless(window.page);
  await searched(window);
  await window.close();
}

/** Nothing that a stranger wrote became an element, ran, or made the view wider than the screen. */
async function harmless(page) {
  const found = await page.evaluate(() => ({
    ran: window.pwned ?? false,
    elements: [...document.querySelectorAll("main script, main img, main style, main iframe, main svg:not(.chart)")].map((element) => element.outerHTML),
    handlers: [...document.querySelectorAll("main *")].filter((element) => element.getAttributeNames().some((name) => name.startsWith("on"))).length,
    too_wide: document.documentElement.scrollWidth - window.innerWidth,
  }));
  assert.deepEqual({ ...found, too_wide: Math.max(0, found.too_wide) }, { ran: false, elements: [], handlers: 0, too_wide: 0 }, page.url());
}

/** What follows an override still reads from left to right: each glyph stands right of the one before. */
async function readsOn(page) {
  const turned = await page.locator("table.sessions tbody tr", { hasText: "hostile-turned" }).evaluate((row) => {
    const texts = document.createTreeWalker(row, NodeFilter.SHOW_TEXT);
    const wrong = [];
    let seen = 0;
    while (texts.nextNode()) {
      const text = texts.currentNode;
      if (!["plain-value", "="].includes(text.data) && !text.data.startsWith("browserbase")) continue;
      const left = (at) => {
        const range = document.createRange();
        range.setStart(text, at);
        range.setEnd(text, at + 1);
        return range.getBoundingClientRect().left;
      };
      seen += 1;
      if (text.data.length > 1 && left(0) >= left(1)) wrong.push(`${text.data} is turned`);
      const key = text.data === "=" && text.previousSibling?.getBoundingClientRect();
      if (key && key.left > left(0)) wrong.push("a key stands behind its value");
    }
    return { wrong, enough: seen > 5 };
  });
  assert.deepEqual(turned, { wrong: [], enough: true });
}

async function ownView(window, row) {
  await window.page.goto(window.address + row);
  const metadata = JSON.parse(await window.page.locator("pre").first().textContent());
  const name = decodeURIComponent(row).split("hostile-")[1];
  if (HOSTILE[name]) assert.deepEqual(metadata, { ...HOSTILE[name], team: "hostile" }, "all of it is shown, as it is");
  await harmless(window.page);
}

async function releasedView(window, name) {
  await window.go(`/sessions/growth/old-${name}`);
  await window.page.locator(".past summary").click();
  assert.deepEqual(JSON.parse(await window.page.locator(".past pre").textContent()), HOSTILE[name]);
  await harmless(window.page);
}

/** What somebody writes into the address comes back harmless, too. */
async function searched(window) {
  await window.go(`/?q=${encodeURIComponent(ATTACK)}`);
  assert.equal(await window.page.locator("input[type=search]").inputValue(), ATTACK);
  await harmless(window.page);
  await window.go(`/?account=${encodeURIComponent(ATTACK)}`);
  await harmless(window.page);
  await window.go(`/?verdict=${encodeURIComponent(ATTACK)}`, 400);
  await harmless(window.page);
  await window.go(`/sessions/growth/${encodeURIComponent(ATTACK)}`, 404);
  await harmless(window.page);
}
