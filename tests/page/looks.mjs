// Every view, by day and by night, on a phone, a tablet and a wide screen: for eyes, for a keyboard, and for a screen reader.

import assert from "node:assert/strict";
import path from "node:path";

import { Window } from "./browser.mjs";

const SCREENS = { phone: { width: 360, height: 740 }, tablet: { width: 820, height: 1180 }, wide: { width: 1920, height: 1080 } };
const SCHEMES = ["light", "dark"];

export async function looks(stage) {
  const waiting = [...VIEWS];
  const lane = async () => {
    while (waiting.length) await seen(stage, ...waiting.shift());
  };
  await Promise.all([lane(), lane()]);
}

async function seen(stage, name, where, at, status) {
  const window = await Window.open(stage.browser, stage[where].address);
  await window.go(at, status);
  if (await window.page.locator("#pause").count()) await window.page.locator("#pause").click();
  const brightness = {};
  for (const scheme of SCHEMES) {
    await window.page.emulateMedia({ colorScheme: scheme });
    for (const [screen, size] of Object.entries(SCREENS)) {
      await window.page.setViewportSize(size);
      const { width, background, widest } = await look(window.page, path.join(stage.shots, `${name}-${screen}-${scheme}.png`));
      brightness[scheme] = background;
      assert.ok(width <= size.width, `${name} on a ${screen} scrolls sideways: ${width}: ${widest}`);
      if (screen !== "tablet") await accessible(window.page, stage.axe, `${name}, ${screen}, ${scheme}`, scheme);
    }
  }
  assert.ok(brightness.light > 200 && brightness.dark < 60, `${name}: ${JSON.stringify(brightness)}`);
  await reachable(window.page, name);
  await window.close();
}

/** A name for its pictures, whose view it is, its address, and what that answers. */
const VIEWS = [
  ["overview", "live", "/"],
  ["troubled", "calm", "/"],
  ["filtered", "calm", "/?q=hostile&sort=age"],
  ["nothing-fits", "calm", "/?q=nothing-fits-this"],
  ["releases", "live", "/releases"],
  ["session-held", "calm", "/sessions/growth/held-1"],
  ["session-hostile", "calm", "/sessions/growth/hostile-long"],
  ["session-released", "calm", "/sessions/growth/old-many"],
  ["not-found", "calm", "/nothing-is-here", 404],
  ["bad-request", "calm", "/?verdict=dead", 400],
  ["login", "closed", "/", 401],
];

async function look(page, file) {
  const { width, height } = page.viewportSize();
  await page.screenshot({ path: file, fullPage: true, clip: { x: 0, y: 0, width, height: Math.min(4 * height, 2_500) } });
  return page.evaluate(() => {
    const width = document.documentElement.scrollWidth;
    const colour = getComputedStyle(document.documentElement).backgroundColor.match(/\d+/g).slice(0, 3).map(Number);
    const over = [...document.querySelectorAll("body *")].find((element) => element.getBoundingClientRect().right > window.innerWidth && !element.closest(".wide"));
    return { width, background: (colour[0] + colour[1] + colour[2]) / 3, widest: over?.outerHTML.slice(0, 200) };
  });
}

/** What axe finds, with the rules of best practice too. By night only colours are others. */
async function accessible(page, axe, where, scheme) {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe);
  const colours = { runOnly: { type: "rule", values: ["color-contrast"] } };
  const { violations } = await page.evaluate((wanted) => window.axe.run(document, { resultTypes: ["violations"], ...wanted }), scheme === "dark" ? colours : {});
  const told = violations.map(({ id, impact, help, nodes }) => `${impact} ${id}: ${help}: ${nodes.slice(0, 3).map(({ target, any }) => `${target} ${any[0]?.message ?? ""}`).join("; ")} (${nodes.length})`);
  assert.deepEqual(told, [], `axe on ${where}`);
}

/** By Tab alone one gets everywhere, and sees where one is. */
async function reachable(page, name) {
  const { count, stuck } = await page.evaluate(prepare);
  assert.deepEqual(stuck, [], `${name}: what scrolls can be scrolled by keys`);
  for (let step = 0; step < count; step += 1) {
    await page.keyboard.press("Tab");
    const focus = await page.evaluate(focused);
    assert.ok(focus.visible, `${name}: ${JSON.stringify(focus)}`);
  }
  const missed = await page.evaluate(() => [...document.querySelectorAll("[data-tab]")].map((element) => element.outerHTML.slice(0, 120)));
  assert.deepEqual(missed, [], `${name}: Tab goes through everything`);
}

/** In the page: marks what Tab should reach, and begins before it; says what scrolls and cannot be reached. */
function prepare() {
  document.body.tabIndex = -1;
  document.body.focus();
  document.body.removeAttribute("tabindex");
  const all = [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, summary, [tabindex='0']")];
  const open = all.filter((element) => element.checkVisibility());
  open.forEach((element) => (element.dataset.tab = ""));
  const scrolls = (element) => {
    const { overflowX, overflowY } = getComputedStyle(element);
    return (element.scrollWidth > element.clientWidth && overflowX === "auto") || (element.scrollHeight > element.clientHeight && overflowY === "auto");
  };
  const stuck = [...document.querySelectorAll("main *")].filter((element) => scrolls(element) && element.tabIndex < 0);
  return { count: open.length, stuck: stuck.map((element) => element.outerHTML.slice(0, 100)) };
}

/** In the page: takes the mark from what has the focus, and says whether one sees that it has. */
function focused() {
  const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
  const { left, right, top, bottom } = document.activeElement.getBoundingClientRect();
  delete document.activeElement.dataset.tab;
  const outlined = outlineStyle !== "none" && parseFloat(outlineWidth) >= 1;
  return { visible: outlined && right > 0 && bottom > 0 && left < innerWidth && top < innerHeight, what: document.activeElement.outerHTML.slice(0, 120) };
}
