// Keeps pages up to date. They work without it.
"use strict";

const busy = new Set(["queued", "running", "waiting", "parked"]);

// Parts of a page as they are now.
async function renew(url, ...targets) {
  const answer = await fetch(url);
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const target of targets) {
    const fresh = page.getElementById(target.id);
    if (fresh) target.replaceWith(document.adoptNode(fresh));
    for (const form of fresh?.querySelectorAll("[data-slider]") ?? []) slide(form);
  }
}

// The list of runs: looked at again while the page is seen.
function list() {
  const look = async () => {
    const table = document.getElementById("runs");
    if (!table) return;
    const focused = table.contains(document.activeElement) && document.activeElement !== document.body;
    if (!document.hidden && !focused) await renew(location.href, table).catch(() => null);
    setTimeout(look, 2000);
  };
  setTimeout(look, 2000);
}

// A run: its output as it comes, everything else when something has happened.
function follow(page) {
  if (!busy.has(page.dataset.state)) return;
  const log = document.getElementById("log");
  const events = new EventSource(`/v1/runs/${page.dataset.run}/events?after=${page.dataset.after}`);
  let wanted = null;
  const refresh = () => {
    wanted ??= setTimeout(async () => {
      wanted = null;
      const journal = document.getElementById("journal");
      // Who looks at an entry goes on doing so.
      const looks = journal?.contains(document.activeElement) || journal?.querySelector(".entry");
      const parts = [document.getElementById("facts"), looks ? null : journal];
      await renew(location.href, ...parts.filter(Boolean)).catch(() => null);
    }, 250);
  };
  events.addEventListener("output", (event) => {
    const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 40;
    log.append(JSON.parse(event.data).text);
    if (atEnd) log.scrollTop = log.scrollHeight;
  });
  for (const name of ["state", "call", "report", "approval"]) events.addEventListener(name, refresh);
  // What the server refuses does not come again: the page shows the run as it is.
  events.addEventListener("error", () => { if (events.readyState === EventSource.CLOSED) refresh(); });
  events.addEventListener("end", () => { events.close(); refresh(); });
}

// The journal: where the run was behind the entry that the slider is at.
function slide(form) {
  const range = form.querySelector("input[type=range]");
  const told = form.querySelector("output");
  let timer = null;
  let latest = null;
  const look = async () => {
    latest?.abort();
    const own = (latest = new AbortController());
    const target = document.getElementById("moment");
    target.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(`${form.dataset.slider}?at=${range.value}`, { signal: own.signal });
      const text = await answer.text();
      if (own.signal.aborted) return;
      const found = new DOMParser().parseFromString(text, "text/html");
      const fresh = found.getElementById("moment") ?? found.querySelector("main .card");
      if (!fresh) return;
      fresh.id = "moment";
      target.replaceWith(document.adoptNode(fresh));
      const log = fresh.querySelector(".log");
      if (log) log.scrollTop = log.scrollHeight;
    } finally {
      // One that came later is still on its way.
      if (latest === own) target.removeAttribute("aria-busy");
    }
  };
  form.querySelector("button").hidden = true;
  range.addEventListener("input", () => {
    told.textContent = `${range.value} of ${range.max}`;
    clearTimeout(timer);
    timer = setTimeout(() => look().catch(() => null), 150);
  });
}

// Problems of a script while it is typed.
function check(editor) {
  const box = document.getElementById("problems");
  let timer = null;
  const ask = async () => {
    const answer = await fetch("/v1/runs/check", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Kael-CSRF": editor.dataset.csrf },
      body: JSON.stringify({ script: editor.value }),
    });
    if (!answer.ok) return;
    const found = (await answer.json()).problems;
    box.replaceChildren(...found.slice(0, 8).map((problem) => {
      const item = document.createElement("li");
      const hint = document.createElement("small");
      hint.textContent = problem.hint;
      item.append(`line ${problem.line}: ${problem.message}`, hint);
      return item;
    }));
  };
  editor.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(() => ask().catch(() => null), 400); });
  editor.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) editor.form.requestSubmit();
  });
}

// On a narrow screen the pages are in a row that scrolls.
document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

const page = document.querySelector("[data-run]");
if (page) follow(page);
if (document.getElementById("runs")) list();
const editor = document.getElementById("script");
if (editor) check(editor);
for (const form of document.querySelectorAll("[data-slider]")) slide(form);
for (const select of document.querySelectorAll("select[data-send]")) select.addEventListener("change", () => select.form.requestSubmit());
