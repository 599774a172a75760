// Without JavaScript everything is there.

import assert from "node:assert/strict";

import { Window, shown } from "./browser.mjs";

export async function scriptless({ browser, calm }) {
  const window = await Window.open(browser, calm.address, { javaScriptEnabled: false });
  const { page } = window;
  await window.go("/");
  await sameAsWithScript(browser, window);
  assert.equal(await page.locator("#live").isVisible(), false, "nothing offers to pause what does not run");
  assert.deepEqual(await page.locator("noscript").evaluate((said) => [said.innerText.trim(), said.getBoundingClientRect().width > 50]), ["· reload to refresh", true]);
  for (const heading of ["Live sessions", "Recent releases", "Saved", "Accounts", "Policies", "Budgets"]) {
    assert.ok(await page.getByRole("heading", { name: heading, exact: true }).isVisible(), heading);
  }
  assert.ok((await page.locator("svg.chart").count()) >= 3, "charts are drawn");
  await filters(page);
  await turnsPages(window);
  await page.locator("table.sessions thead").getByRole("link", { name: "Age" }).click();
  await page.locator("th[aria-sort=descending]", { hasText: "Age" }).waitFor();
  await page.locator("table.sessions tbody a.id").first().click();
  await page.getByRole("heading", { name: "Policies, in order", exact: true }).waitFor();
  await releases(window);
  await window.close();
}

/** The same words in the same places, but for times, which the script turns into local ones. */
async function sameAsWithScript(browser, window) {
  const scripted = await Window.open(browser, window.address);
  await scripted.go("/");
  await scripted.page.locator("#live").waitFor();
  const words = (page) => page.locator("main").evaluate((main) => {
    const copy = main.cloneNode(true);
    for (const moving of copy.querySelectorAll("time, [data-left], .number, .figure, .badge ~ small")) moving.replaceChildren();
    return copy.textContent.replace(/\s+/g, " ");
  });
  assert.equal(await words(window.page), await words(scripted.page));
  await scripted.close();
  assert.ok(!/loading|please wait/i.test(await words(window.page)), "nothing waits for a script");
}

async function filters(page) {
  await page.getByLabel("Verdict").selectOption("due");
  await page.getByLabel("Find").fill("held");
  await page.getByRole("button", { name: "Apply" }).click();
  await page.waitForURL(/verdict=due/);
  assert.equal((await shown(page)).length, 3);
  assert.deepEqual([await page.getByLabel("Verdict").inputValue(), await page.getByLabel("Find").inputValue()], ["due", "held"]);
}

async function turnsPages(window) {
  await window.go("/?sort=session");
  const seen = await shown(window.page);
  for (const number of [2, 3]) {
    await window.page.locator("a[rel=next]").click();
    await window.page.waitForURL(new RegExp(`page=${number}`));
    seen.push(...(await shown(window.page)));
  }
  assert.equal(new Set(seen).size, 132);
}

async function releases(window) {
  await window.go("/releases");
  await window.page.getByLabel("Outcome").selectOption("confirmed");
  await window.page.getByRole("button", { name: "Apply" }).click();
  await window.page.waitForURL(/outcome=confirmed/);
  assert.equal(await window.page.locator("table.releases tbody tr").count(), 6);
}
