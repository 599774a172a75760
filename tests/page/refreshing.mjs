// The page keeps up with the daemon, and leaves its reader alone.

import assert from "node:assert/strict";

import { eventually } from "../contract/process.mjs";
import { Window, isMarked, mark } from "./browser.mjs";

/** Everything of the first view, as it is before it is compressed. */
const MOST_BYTES = 100_000;

export async function refreshing({ browser, live }) {
  const window = await Window.open(browser, live.address, { timezoneId: "Asia/Tokyo" });
  const { page } = window;
  await light(window);
  await localTime(page);
  await mark(page);
  await readerIsLeftAlone(page);
  await selectionStays(page);
  await counts(page);
  await pauses(page);
  await window.close();
}

/** The first view is small, and comes whole from here. */
async function light(window) {
  const bodies = [];
  const note = (answer) => bodies.push(answer.body().then((body) => [new URL(answer.url()).pathname, body.length]));
  window.page.on("response", note);
  await window.go("/");
  await window.page.locator("#live").waitFor();
  window.page.off("response", note);
  const icon = await window.page.locator("link[rel=icon]").evaluate((link) => link.href);
  const answer = await window.context.request.get(icon);
  assert.deepEqual([answer.status(), answer.headers()["content-type"]], [200, "image/svg+xml"]);
  const sizes = Object.fromEntries([...(await Promise.all(bodies)), ["icon", (await answer.body()).length]]);
  const total = Object.values(sizes).reduce((sum, size) => sum + size, 0);
  assert.ok(["/", "/assets/page.css", "/assets/page.js"].every((path) => sizes[path] > 1_000), JSON.stringify(sizes));
  assert.ok(total < MOST_BYTES, `the first view is ${total} bytes: ${JSON.stringify(sizes)}`);
  console.log(`the first view is ${total} bytes`);
}

/** Instants stand in the reader's time; whoever points at one reads UTC. */
async function localTime(page) {
  const times = await page.locator("time").evaluateAll((all) => all.map(({ dateTime, textContent, title }) => ({ dateTime, textContent, title })));
  assert.ok(times.length > 20);
  const tokyo = (at) => new Date(at.getTime() + 9 * 3_600_000).toISOString();
  const today = tokyo(new Date()).slice(0, 10);
  for (const { dateTime, textContent, title } of times) {
    const at = new Date(dateTime);
    const there = tokyo(at);
    assert.equal(title, `${at.toISOString().slice(0, 19).replace("T", " ")} UTC`);
    assert.ok(textContent.includes(there.slice(0, 10) === today ? there.slice(11, 19) : there.slice(11, 16)), `${dateTime} is ${there} in Tokyo, not ${textContent}`);
  }
}

const released = (page) => page.locator("table.releases tbody tr").evaluateAll((rows) => rows.map((row) => row.dataset.key));

/** Waits until a release that was not there is in the list, without the document being another one. */
async function anotherRelease(page) {
  const before = await released(page);
  await eventually(async () => (await released(page)).some((key) => !before.includes(key)), "a release appears by itself");
  assert.ok(await isMarked(page), "the page was not loaded anew");
}

/** A release appears while somebody has opened something, is about to write, and reads far down. */
async function readerIsLeftAlone(page) {
  const find = page.getByLabel("Find");
  await page.locator("#figures summary").click();
  await find.pressSequentially("- ");
  await eventually(() => new URL(page.url()).searchParams.get("q") !== null, "the address has what was written");
  await find.evaluate((field) => field.setSelectionRange(1, 1));
  const before = await page.evaluate(() => {
    document.querySelector("#releases").scrollIntoView();
    return { scrolled: scrollY > 400, top: document.querySelector("#releases").getBoundingClientRect().top };
  });
  await anotherRelease(page);
  const after = await page.evaluate(() => ({
    open: document.querySelector("#figures").open,
    focused: document.activeElement.name,
    written: document.activeElement.value,
    caret: document.activeElement.selectionStart,
    scrolled: scrollY > 400,
  }));
  assert.deepEqual({ scrolled: before.scrolled, ...after }, { scrolled: true, open: true, focused: "q", written: "- ", caret: 1 });
  const top = await page.locator("#releases").evaluate((heading) => heading.getBoundingClientRect().top);
  assert.ok(Math.abs(top - before.top) < 40, `what is read moved from ${before.top} to ${top}`);
}

async function selectionStays(page) {
  const selected = () => page.evaluate(() => getSelection().toString());
  await page.evaluate(() => {
    document.activeElement.blur();
    getSelection().setBaseAndExtent(document.querySelector("#accounts"), 0, document.querySelector("#policies"), 1);
  });
  const before = await selected();
  assert.ok(before.includes("Accounts") && before.includes("Policies"), before);
  const first = before.split("\n")[0];
  await anotherRelease(page);
  const after = await selected();
  assert.ok(after.startsWith(first) && after.endsWith("Policies"), after);
}

const countdown = (page) => page.locator("table.sessions .left").first().textContent();

/** Between two refreshes the countdown goes on by itself. */
async function counts(page) {
  const told = await page.evaluate(() => {
    let refreshes = 0;
    const fetch = window.fetch;
    window.fetch = (...asked) => ((refreshes += 1), fetch(...asked));
    window.refreshes = () => refreshes;
    return true;
  });
  assert.ok(told);
  const texts = new Set();
  let last;
  await eventually(async () => {
    const [text, refreshes] = [await countdown(page), await page.evaluate(() => window.refreshes())];
    if (refreshes !== last) texts.clear();
    last = refreshes;
    texts.add(text);
    return texts.size >= 3;
  }, "three seconds are counted between two refreshes");
}

/** Paused, it stands still but for the countdown; resumed, it is up to date at once. */
async function pauses(page) {
  await page.getByRole("button", { name: "Pause" }).click();
  await page.locator("#state", { hasText: "paused" }).waitFor();
  const before = await page.evaluate(() => window.refreshes());
  const texts = new Set();
  await eventually(async () => texts.add(await countdown(page)).size >= 7, "seven seconds are counted");
  assert.ok((await page.evaluate(() => window.refreshes())) <= before, "nothing is asked for while it is paused");
  await page.getByRole("button", { name: "Resume" }).click();
  await eventually(async () => (await page.evaluate(() => window.refreshes())) > before, "it asks at once");
  await page.locator("#state", { hasText: "refreshes by itself" }).waitFor();
}
