// All that a page shows is in its address: filters, order, and place in a long list. Following them loads no page anew.

import assert from "node:assert/strict";

import { eventually } from "../contract/process.mjs";
import { Window, isMarked, mark, shown } from "./browser.mjs";

export async function addresses({ browser, calm }) {
  const window = await Window.open(browser, calm.address);
  await filters(window);
  await finds(window);
  await sorts(window);
  await turnsPages(window);
  await goesBack(window);
  await opensOne(window);
  await choosesDays(window);
  await releases(window);
  await window.close();
}

const query = (page) => new URL(page.url()).searchParams;

/** Waits until the list is this; gives its rows. */
async function listed(page, count) {
  await eventually(async () => (await page.locator("#count").textContent()).startsWith(count), `the list says ${count}`);
  return shown(page);
}

/** Whoever opens this address sees the same rows in the same order. */
async function sameElsewhere(window) {
  const page = await window.context.newPage();
  await page.goto(window.page.url());
  assert.deepEqual(await shown(page), await shown(window.page), window.page.url());
  await page.close();
}

async function filters(window) {
  const { page } = window;
  await window.go("/");
  await mark(page);
  await page.getByLabel("Verdict").selectOption("due");
  const rows = await listed(page, "1 to 3 of 3");
  assert.deepEqual(rows.sort(), [1, 2, 3].map((n) => `/sessions/growth/held-${n}`));
  assert.equal(query(page).get("verdict"), "due");
  await sameElsewhere(window);
  await page.getByLabel("Hold").selectOption("operator");
  await eventually(async () => (await shown(page)).length === 0, "no session is held by an operator");
  await page.locator("form.filter").getByRole("link", { name: "Clear" }).click();
  await listed(page, "1 to 50 of 132");
  assert.deepEqual([await page.getByLabel("Verdict").inputValue(), await page.getByLabel("Hold").inputValue()], ["", ""], "nothing is chosen any more");
  assert.ok(await isMarked(page), "no filter loads the page anew");
}

async function finds(window) {
  const { page } = window;
  await page.getByLabel("Find").pressSequentially("team=ml", { delay: 20 });
  // A slow machine asks for "team=m" on the way, which finds the same ones.
  await page.waitForURL((url) => url.searchParams.get("q") === "team=ml");
  await listed(page, "1 to 40 of 40");
  assert.ok(await page.getByLabel("Find").evaluate((field) => field === document.activeElement && field.value === "team=ml"), "who writes is not disturbed");
  await sameElsewhere(window);
  assert.ok(await isMarked(page));
}

async function sorts(window) {
  const { page } = window;
  await window.go("/?q=team%3Dml");
  await mark(page);
  const heading = (name) => page.locator("table.sessions thead").getByRole("link", { name });
  const sorted = (order) => page.locator(`table.sessions th[aria-sort=${order}]`, { hasText: "Age" }).waitFor();
  await heading("Age").click();
  await sorted("descending");
  const oldest = await shown(page);
  assert.deepEqual([oldest[0], oldest.at(-1)], ["/sessions/growth/live-119", "/sessions/growth/live-002"]);
  await sameElsewhere(window);
  await heading("Age").focus();
  await page.keyboard.press("Enter");
  await sorted("ascending");
  assert.deepEqual(await shown(page), oldest.reverse(), "Enter on a heading sorts the other way round");
  assert.ok(await heading("Age").evaluate((link) => link === document.activeElement), "and stays on it");
  assert.ok(await isMarked(page));
}

async function turnsPages(window) {
  const { page } = window;
  await window.go("/?sort=session");
  await mark(page);
  const seen = await shown(page);
  for (const count of ["51 to 100 of 132", "101 to 132 of 132"]) {
    await page.locator("a[rel=next]").click();
    seen.push(...(await listed(page, count)));
    await eventually(() => page.locator("#count").evaluate((line) => line === document.activeElement), "the next page is read from its beginning");
    const top = await page.locator("#count").evaluate((line) => line.getBoundingClientRect().top);
    assert.ok(top >= 0 && top < 900, `the next page's beginning is in sight, at ${top}`);
  }
  assert.equal(new Set(seen).size, 132, "every session is on one page");
  assert.equal(await page.locator("a[rel=next]").count(), 0);
  await sameElsewhere(window);
  await page.locator("a[rel=prev]").click();
  await listed(page, "51 to 100 of 132");
  assert.ok(await isMarked(page));
}

async function goesBack(window) {
  const { page } = window;
  await window.go("/");
  const all = await shown(page);
  await mark(page);
  await page.getByLabel("Verdict").focus();
  await page.getByLabel("Verdict").selectOption("protected");
  await listed(page, "1 to 2 of 2");
  await page.locator("select[name=account]").selectOption("growth");
  await eventually(() => query(page).get("account") === "growth", "the account is in the address");
  await page.goBack();
  await eventually(async () => (await page.locator("select[name=account]").inputValue()) === "", "the account is not chosen any more");
  await page.goBack();
  assert.deepEqual(await listed(page, "1 to 50 of 132"), all);
  assert.equal(await page.getByLabel("Verdict").inputValue(), "", "what is chosen is what is shown");
  await page.goForward();
  await listed(page, "1 to 2 of 2");
  assert.equal(await page.getByLabel("Verdict").inputValue(), "protected");
  assert.ok(await isMarked(page));
}

async function opensOne(window) {
  const { page } = window;
  await window.go("/?q=held-2");
  await page.locator("table.sessions tbody a.id").click();
  await page.waitForURL(/\/sessions\/growth\/held-2$/);
  const text = await page.locator("main").innerText();
  for (const part of ["held-2", "due", "expiring", "everything-else", "max_age", "ago", "team", "would"]) assert.ok(text.includes(part), `${part} in ${text}`);
  assert.deepEqual(JSON.parse(await page.locator("pre").textContent()), { team: "growth" });
  await page.goBack();
  assert.equal(query(page).get("q"), "held-2");
}

async function choosesDays(window) {
  const { page } = window;
  await window.go("/");
  await mark(page);
  await page.locator(".periods").getByRole("link", { name: "7 days" }).click();
  await page.locator(".periods [aria-current]", { hasText: "7 days" }).waitFor();
  assert.equal(query(page).get("days"), "7");
  await page.getByLabel("Verdict").selectOption("due");
  await listed(page, "1 to 3 of 3");
  assert.equal(query(page).get("days"), "7", "a filter leaves the days as they are");
  assert.ok(await isMarked(page));
}

async function releases(window) {
  const { page } = window;
  await window.go("/");
  await page.getByRole("link", { name: "All releases" }).click();
  await page.waitForURL(/\/releases$/);
  const rows = page.locator("table.releases tbody tr");
  assert.equal(await rows.count(), 6);
  await mark(page);
  await page.getByLabel("Outcome").selectOption("failed");
  await eventually(async () => (await rows.count()) === 0, "nothing failed");
  await page.getByLabel("Outcome").selectOption("confirmed");
  await eventually(async () => (await rows.count()) === 6, "all were confirmed");
  assert.equal(query(page).get("outcome"), "confirmed");
  assert.ok(await isMarked(page));
  await rows.first().locator("a.id").click();
  await page.waitForURL(/\/sessions\/growth\/old-/);
  assert.ok((await page.locator("main").innerText()).includes("confirmed"));
}
