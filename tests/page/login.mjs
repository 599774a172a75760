// Where there is a token, the page wants it, once, and keeps it nowhere.

import assert from "node:assert/strict";

import { eventually } from "../contract/process.mjs";
import { Window, isMarked, mark, shown } from "./browser.mjs";

export async function login({ browser, closed, token }) {
  const window = await Window.open(browser, closed.address);
  await isAskedFor(window);
  await isRefused(window);
  await opensTheDoor(window, token);
  await provesWithoutTheToken(window, token);
  await goesOn(window);
  await signsOut(window);
  await window.close();
}

const WANTED = "/?verdict=keep&sort=age";

async function isAskedFor(window) {
  await window.go(WANTED, 401);
  assert.ok(await window.page.getByLabel("Token").evaluate((field) => field === document.activeElement), "one can write at once");
  assert.equal(await window.page.getByLabel("Token").getAttribute("type"), "password");
  assert.ok(!(await window.page.content()).includes("sessions</h2>"), "nothing else is shown");
  for (const path of ["/releases", "/sessions/growth/any", "/?days=1000", "/nothing"]) await window.go(path, 401);
  await window.go(WANTED, 401);
}

async function signIn(window, token) {
  await window.page.getByLabel("Token").fill(token);
  await window.page.getByRole("button", { name: "Sign in" }).click();
}

async function isRefused(window) {
  await signIn(window, "another");
  await window.page.getByRole("alert").getByText("not the token").waitFor();
  assert.equal(await window.page.getByLabel("Token").inputValue(), "", "what was written does not come back");
  assert.deepEqual(await window.context.cookies(), []);
}

async function opensTheDoor(window, token) {
  await signIn(window, token);
  await window.page.waitForURL(window.address + WANTED);
  assert.ok((await shown(window.page)).length > 10);
  assert.equal(await window.page.locator("th[aria-sort=descending]").innerText(), "Age");
}

async function provesWithoutTheToken(window, token) {
  await window.go(WANTED);
  const cookies = await window.context.cookies();
  assert.deepEqual(cookies.map(({ httpOnly, sameSite, path, expires }) => ({ httpOnly, sameSite, path, expires })), [
    { httpOnly: true, sameSite: "Strict", path: "/", expires: -1 },
  ]);
  const kept = await window.page.evaluate(() => JSON.stringify([document.cookie, { ...localStorage }, { ...sessionStorage }, location.href, document.documentElement.outerHTML]));
  for (const place of [kept, JSON.stringify(cookies)]) assert.ok(!place.includes(token) && !place.includes(btoa(token)), "the token is kept nowhere");
  const status = async (path) => (await window.context.request.get(window.address + path)).status();
  assert.deepEqual([await status("/api/v1/sessions"), await status("/metrics"), await status("/readyz")], [200, 401, 200]);
}

async function goesOn(window) {
  await mark(window.page);
  const time = () => window.page.locator(".asof time").getAttribute("datetime");
  const before = await time();
  await eventually(async () => (await time()) !== before, "it refreshes by itself");
  assert.ok(await isMarked(window.page));
}

async function signsOut(window) {
  const other = await window.context.newPage();
  await other.goto(`${window.address}/releases`);
  await other.getByRole("button", { name: "Sign out" }).click();
  await other.waitForURL(/\/login$/);
  assert.deepEqual(await window.context.cookies(), [], "the proof is gone");
  window.expect(/status of 401/);
  const rows = await shown(window.page);
  await window.page.locator("#state", { hasText: "signed out" }).waitFor();
  assert.deepEqual(await shown(window.page), rows, "what was shown stays");
  await window.page.reload();
  await window.page.getByLabel("Token").waitFor();
}
