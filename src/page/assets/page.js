// Keeps the page that is shown up to date: fetches the same address again and changes only what differs, so that nothing flickers, and the place that
// somebody reads, the focus, what is opened and what is being written stay. Without it the page is the same, and stands still.
"use strict";
(() => {
  const EVERY = 5000;
  const state = document.getElementById("state");
  const pause = document.getElementById("pause");
  const said = document.getElementById("said");
  let paused = false;
  let asking = null;
  let returning = false;
  let shownAt = performance.now();

  const pad = (number) => String(number).padStart(2, "0");
  const day = (date) => date.toDateString();

  // Instants in local time; the title keeps them in UTC.
  function localise(root) {
    const today = day(new Date());
    for (const time of root.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      const seconds = `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`;
      const other = at.toLocaleString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
      time.textContent = day(at) === today ? seconds : other.replace(",", "");
    }
  }

  // As the server says lengths: in their two largest units.
  function length(seconds) {
    const parts = [[Math.floor(seconds / 86400), "d"], [Math.floor(seconds / 3600) % 24, "h"], [Math.floor(seconds / 60) % 60, "m"], [seconds % 60, "s"]];
    const first = Math.max(0, parts.findIndex(([count], place) => count > 0 || place === 3));
    return parts.slice(first, first + 2).filter(([count]) => count > 0).map(([count, unit]) => count + unit).join(" ") || "0s";
  }

  function countDown(root, passed) {
    for (const left of root.querySelectorAll("[data-left]")) {
      const seconds = Number(left.dataset.left) - passed;
      const text = seconds < 0 ? `${length(Math.floor(-seconds))} ago` : `in ${length(Math.floor(seconds))}`;
      if (left.textContent !== text) left.textContent = text;
    }
  }

  const key = (node) => (node.nodeType === 1 ? node.dataset.key || node.id || "" : "");
  const alike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && key(a) === key(b);

  // Makes `old` what `fresh` is, with as few changes as that takes.
  function adopt(old, fresh) {
    if (old.nodeType !== 1) {
      if (old.data !== fresh.data) old.data = fresh.data;
      return;
    }
    attributes(old, fresh);
    const keyed = new Map();
    for (const child of old.childNodes) if (key(child)) keyed.set(key(child), child);
    let place = old.firstChild;
    for (const wanted of [...fresh.childNodes]) {
      const known = key(wanted) && keyed.get(key(wanted));
      if (known && alike(known, wanted)) {
        if (known === place) place = place.nextSibling;
        else old.insertBefore(known, place);
        adopt(known, wanted);
      } else if (place && !key(place) && alike(place, wanted)) {
        const next = place.nextSibling;
        adopt(place, wanted);
        place = next;
      } else {
        old.insertBefore(document.importNode(wanted, true), place);
      }
    }
    while (place) {
      const next = place.nextSibling;
      place.remove();
      place = next;
    }
  }

  // What the reader has done stays: what is opened, and what is written in the field that has the focus, unless another view is gone back to.
  function attributes(old, fresh) {
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name) && !(name === "open" && old.nodeName === "DETAILS")) old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    const theirs = (field) => field === document.activeElement && !returning;
    if (theirs(old)) return;
    if (old.nodeName === "INPUT" && old.value !== fresh.value) old.value = fresh.value;
    if (old.nodeName === "OPTION" && old.selected !== fresh.hasAttribute("selected") && !theirs(old.parentNode)) {
      old.selected = fresh.hasAttribute("selected");
    }
  }

  function tell(text) {
    if (state.textContent !== text) state.textContent = text;
  }

  async function refresh() {
    if (asking) asking.abort();
    const mine = (asking = new AbortController());
    const timeout = setTimeout(() => mine.abort(), 10000);
    try {
      const answer = await fetch(location.href, { cache: "no-store", credentials: "same-origin", signal: mine.signal });
      if (answer.status === 401) return tell("signed out: reload to sign in");
      const text = await answer.text();
      if (mine !== asking) return;
      const page = new DOMParser().parseFromString(text, "text/html");
      const main = page.getElementById("main");
      if (!main || !page.getElementById("state")) return tell(`cannot be refreshed: ${answer.status}`);
      show(page, main);
    } catch {
      if (mine === asking) tell("not refreshed: the daemon does not answer");
    } finally {
      clearTimeout(timeout);
      if (mine === asking) asking = null;
    }
  }

  function show(page, main) {
    localise(page);
    countDown(page, 0);
    shownAt = performance.now();
    adopt(document.getElementById("main"), main);
    for (const part of [".asof > time", ".name"]) adopt(document.querySelector(part), page.querySelector(part));
    if (document.title !== page.title) document.title = page.title;
    tell(paused ? "paused" : "refreshes by itself");
  }

  // Another view of the same page: its address changes, and only what differs.
  async function go(href, replace) {
    history[replace ? "replaceState" : "pushState"](null, "", href);
    await refresh();
    said.textContent = document.getElementById("count")?.textContent ?? "";
  }

  function asked(form) {
    const wanted = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (value !== "") wanted.append(name, value);
    return `${form.getAttribute("action")}?${wanted}`;
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[data-here]");
    if (!link || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    if (new URL(link.href).pathname !== location.pathname) return;
    event.preventDefault();
    go(link.href, false).then(() => /^(next|prev)$/.test(link.rel) && document.getElementById("count")?.focus());
  });

  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-here]")) return;
    event.preventDefault();
    go(asked(event.target), false);
  });

  document.addEventListener("change", (event) => {
    if (event.target.matches("form[data-here] select")) go(asked(event.target.form), false);
  });

  let typing;
  document.addEventListener("input", (event) => {
    if (!event.target.matches("form[data-here] input[type=search]")) return;
    clearTimeout(typing);
    typing = setTimeout(() => go(asked(event.target.form), true), 300);
  });

  window.addEventListener("popstate", async () => {
    clearTimeout(typing);
    returning = true;
    await refresh();
    returning = false;
  });

  pause.addEventListener("click", () => {
    paused = !paused;
    pause.textContent = paused ? "Resume" : "Pause";
    tell(paused ? "paused" : "refreshes by itself");
    if (!paused) refresh();
  });

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && !paused) refresh();
  });

  localise(document);
  document.getElementById("live").hidden = false;
  setInterval(() => countDown(document, (performance.now() - shownAt) / 1000), 1000);
  setInterval(() => {
    if (!document.hidden && !paused && !asking) refresh();
  }, EVERY);
})();
