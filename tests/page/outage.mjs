// The daemon goes away under the page, and comes back.

import assert from "node:assert/strict";

import { Window, isMarked, mark, shown } from "./browser.mjs";

export async function outage({ browser, brittle }) {
  const window = await Window.open(browser, brittle.address);
  const { page } = window;
  await window.go("/?q=hostile");
  await mark(page);
  const rows = await shown(page);
  window.expect(/ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE/);
  assert.equal(await brittle.stop(), 0);
  await page.locator("#state", { hasText: "not refreshed" }).waitFor();
  assert.deepEqual(await shown(page), rows, "what was shown stays");
  const back = await brittle.again();
  await page.locator("#state", { hasText: "refreshes by itself" }).waitFor();
  assert.deepEqual(await shown(page), rows);
  assert.ok(await isMarked(page), "the page was not loaded anew");
  await window.close();
  await back.stop();
}
