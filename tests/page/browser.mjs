// A browser in which nothing may go wrong unseen.

import assert from "node:assert/strict";

/** Starts Chromium with nothing that would call home. */
export async function launch(chromium, executablePath) {
  const quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic", "--no-first-run"];
  // Its sandbox does not work for root, nor in many containers; it is only shown our own pages.
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", ...quiet] });
}

/** A window of its own: no cookie and no cache of another. What its pages complain about is kept until `quiet`. */
export class Window {
  complaints = [];
  expected = [];

  static async open(browser, address, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: "en-GB", timezoneId: "UTC", ...options });
    context.setDefaultTimeout(30_000);
    const window = new Window();
    Object.assign(window, { context, address });
    context.on("page", (page) => window.#watch(page));
    window.page = await context.newPage();
    return window;
  }

  #watch(page) {
    page.on("pageerror", (error) => this.#complain(`error in the page: ${error}`));
    page.on("crash", () => this.#complain("the page crashed"));
    page.on("dialog", (dialog) => (this.#complain(`a dialog: ${dialog.message()}`), dialog.dismiss()));
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) this.#complain(`console: ${message.text()} (${message.location().url})`);
    });
    page.on("requestfailed", (request) => {
      // The page gives up a refresh of its own when a newer one is asked for, or when it is left.
      if (request.failure()?.errorText !== "net::ERR_ABORTED") this.#complain(`failed: ${request.url()} ${request.failure()?.errorText}`);
    });
    page.on("request", (request) => {
      if (new URL(request.url()).origin !== this.address) this.#complain(`asked another origin: ${request.url()}`);
    });
  }

  #complain(text) {
    if (!this.expected.some((expression) => expression.test(text))) this.complaints.push(text);
  }

  /** From now on a complaint like this is none. */
  expect(expression) {
    this.expected.push(expression);
  }

  async go(path, status = 200) {
    if (status >= 400) this.expect(new RegExp(`console: Failed to load resource: .* status of ${status} `));
    const answer = await this.page.goto(this.address + path);
    assert.equal(answer.status(), status, path);
    return answer;
  }

  /** Fails where anything was complained about. */
  quiet() {
    assert.deepEqual(this.complaints, [], "what the browser complained about");
  }

  async close() {
    this.quiet();
    await this.context.close();
  }
}

/** The sessions that the page shows, in its order. */
export const shown = (page) => page.locator("table.sessions tbody tr").evaluateAll((rows) => rows.map((row) => row.dataset.key));

/** Puts a mark on the document that no other document has. */
export const mark = (page) => page.evaluate(() => void (window.marked = document.querySelector("main").marked = true));
export const isMarked = (page) => page.evaluate(() => window.marked === true && document.querySelector("main").marked === true);
