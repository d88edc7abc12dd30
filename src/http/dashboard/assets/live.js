// Follows the stream and draws the page again where something changed. The page is whole without it.
(() => {
  "use strict";
  if (!document.body.dataset.stream) return;
  const QUIET_MS = 2000; // a page is fetched again at most this often
  const AGES_MS = 30000; // "3 min ago" grows older on a page on which nothing changes
  const pulse = document.getElementById("pulse");
  const words = document.getElementById("pulse-words");
  const PATIENCE_MS = 3000; // after a failure it waits so much longer
  let timer = null;
  let fetching = false;
  let again = false;
  let drawnAt = Date.now();
  let missed = false; // something changed while nobody looked

  const say = (state, text) => {
    if (pulse.dataset.state === state && words.textContent === text) return;
    pulse.dataset.state = state;
    words.textContent = text;
  };

  const byKey = (root) => {
    const found = new Map();
    for (const part of root.querySelectorAll("[data-live]")) found.set(part.dataset.live, part);
    return found;
  };

  const leaves = (parts) => [...parts].filter(([, part]) => part.querySelector("[data-live]") === null);

  const flash = (part) => {
    part.classList.add("changed");
    setTimeout(() => part.classList.remove("changed"), 1500);
  };

  // What a reader would notice: words and marks, not ages that go by on their own.
  const meaning = (part) => {
    const copy = part.cloneNode(true);
    copy.classList.remove("changed");
    for (const time of copy.querySelectorAll("time")) time.textContent = "";
    for (const line of copy.querySelectorAll("polyline, .dot, .aim")) line.remove();
    return copy.textContent;
  };

  const redraw = (next) => {
    const here = byKey(document);
    const there = byKey(next);
    const same = here.size === there.size && [...here.keys()].every((key) => there.has(key));
    if (!same) {
      document.querySelector("main").replaceWith(document.adoptNode(next.querySelector("main")));
      return;
    }
    for (const [key, part] of leaves(here)) {
      const fresh = there.get(key);
      if (part.contains(document.activeElement) && document.activeElement.tagName === "INPUT") continue;
      part.classList.remove("changed");
      if (part.outerHTML === fresh.outerHTML) continue;
      const noticed = meaning(part) !== meaning(fresh);
      const focused = part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
      const drawn = document.adoptNode(fresh);
      part.replaceWith(drawn);
      if (focused !== null) drawn.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus();
      if (noticed && key !== "footer") flash(drawn);
    }
  };

  const refresh = async () => {
    timer = null;
    if (fetching) {
      again = true;
      return;
    }
    fetching = true;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
      if (!answer.ok) throw new Error(String(answer.status));
      redraw(new DOMParser().parseFromString(await answer.text(), "text/html"));
      drawnAt = Date.now();
    } catch {
      say("broken", "could not fetch the page, trying again");
      drawnAt = Date.now() + PATIENCE_MS;
      again = true;
    }
    fetching = false;
    if (again) {
      again = false;
      soon();
    }
  };

  const soon = () => {
    missed = document.hidden;
    if (missed) return;
    if (timer === null) timer = setTimeout(refresh, Math.max(150, drawnAt + QUIET_MS - Date.now()));
  };

  const follow = () => {
    const stream = new EventSource(document.body.dataset.stream);
    let lost = false;
    stream.onopen = () => {
      say("live", "live");
      if (lost) soon();
      lost = false;
    };
    for (const name of ["readings", "alert", "lagged"]) {
      stream.addEventListener(name, () => {
        say("live", "live");
        soon();
      });
    }
    stream.onerror = () => {
      lost = true;
      say("broken", "connection lost, reconnecting");
      // A refusal (503 while the house starts) ends an EventSource for good: begin another.
      if (stream.readyState === EventSource.CLOSED) setTimeout(follow, PATIENCE_MS);
    };
    addEventListener("pagehide", () => stream.close(), { once: true });
  };

  addEventListener("pageshow", (event) => {
    if (event.persisted) follow();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && missed) soon();
  });
  setInterval(() => {
    if (Date.now() - drawnAt > AGES_MS) soon();
  }, AGES_MS);
  follow();
})();
