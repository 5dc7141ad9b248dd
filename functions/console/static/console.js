// Uploads with progress; marking all rows; the reader's two sides. All else is htmx, or plain links and forms.
"use strict";

const token = () => JSON.parse(document.body.getAttribute("hx-headers") || "{}")["X-CSRF-Token"];
const PENDING = new Map(); // document's id -> its line
const AT_ONCE = 3;
const waiting = [];
let sending = 0;

function say(text) {
  document.getElementById("said").textContent = text;
}

function line(name) {
  const item = document.createElement("li");
  const [title, bar, state] = ["span", "progress", "span"].map((tag) => item.appendChild(document.createElement(tag)));
  title.textContent = name;
  bar.max = 1;
  bar.value = 0;
  bar.setAttribute("aria-label", `Upload of ${name}`);
  state.textContent = "waiting";
  document.getElementById("uploads").append(item);
  return { item, title, bar, state };
}

function enqueue(files, zone) {
  for (const file of files) waiting.push([file, line(file.name), zone]);
  while (sending < AT_ONCE && waiting.length) next();
}

function next() {
  const job = waiting.shift();
  if (!job) return;
  sending += 1;
  send(...job).catch((error) => {
    job[1].state.textContent = error.message;
    job[1].state.className = "negative-text";
  }).finally(() => { sending -= 1; next(); });
}

async function send(file, shown, zone) {
  shown.state.textContent = "uploading";
  const asked = { name: file.name, size: file.size };
  const answer = await fetch(zone.dataset.upload, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRF-Token": token() },
    body: JSON.stringify(asked),
  });
  const begun = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(begun.error || `The console answered ${answer.status}. Load the page again.`);
  await new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", begun.url);
    for (const [name, value] of Object.entries(begun.headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => { shown.bar.value = event.loaded / event.total; };
    request.onload = () => request.status < 300 ? resolve() : reject(new Error(`The bucket refused the file (${request.status}).`));
    request.onerror = () => reject(new Error("The upload broke off. Drop the file again."));
    request.send(file);
  });
  shown.bar.removeAttribute("value");
  shown.state.textContent = "waiting to be read";
  PENDING.set(begun.id, { ...shown, since: Date.now() });
  if (PENDING.size === 1) watch(zone);
}

const WORDS = { received: "received", extracting: "being read", analyzing: "being analyzed", delegated: "with the long job" };

async function watch(zone) {
  while (PENDING.size) {
    await new Promise((resolve) => setTimeout(resolve, 1200));
    const query = [...PENDING.keys()].map((id) => `id=${id}`).join("&");
    const answer = await fetch(`${zone.dataset.states}?${query}`).catch(() => null);
    if (!answer || !answer.ok) continue;
    for (const [id, found] of Object.entries(await answer.json())) {
      const shown = PENDING.get(id);
      if (!(found.state in WORDS)) {
        // A document of that name may be there from before: what it says within the first seconds is old.
        if (Date.now() - shown.since < 2500) continue;
        PENDING.delete(id);
        shown.bar.value = 1;
        const link = document.createElement("a");
        link.href = `/documents/${id}`;
        link.textContent = found.state === "completed" ? `completed, ${found.passages} passages: open` : `${found.state}: ${found.error}`;
        shown.state.replaceChildren(link);
        say(`${shown.title.textContent}: ${link.textContent}`);
      } else {
        shown.state.textContent = WORDS[found.state];
      }
    }
    refresh();
  }
}

function refresh() {
  const marked = document.querySelector("#list input[name=id]:checked");
  if (!marked && document.getElementById("list")) htmx.ajax("GET", location.pathname + location.search, { target: "#list", swap: "outerHTML" });
}

function point(number, from) {
  for (const each of document.querySelectorAll(".on")) each.classList.remove("on");
  const passage = document.getElementById(`p-${number}`);
  const boxes = document.querySelectorAll(`.b-${CSS.escape(number)}`);
  const row = document.querySelector(`.own tr[data-passage="${CSS.escape(number)}"]`);
  for (const each of [passage, row, ...boxes]) each?.classList.add("on");
  if (!row) passage?.closest("details")?.setAttribute("open", "");
  const other = from && (from === passage || from === row) ? boxes[0] : row || passage;
  other?.scrollIntoView({ block: "nearest", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
}

document.addEventListener("click", (event) => {
  const place = event.target.closest("[data-passage]");
  if (place && !event.target.closest("a, button, input, select, summary, label")) point(place.dataset.passage, place);
});
document.addEventListener("keydown", (event) => {
  const place = event.target.closest("[data-passage]");
  if (place && event.target === place && (event.key === "Enter" || event.key === " ")) {
    event.preventDefault();
    point(place.dataset.passage, place);
  }
});
document.addEventListener("keydown", (event) => {
  // One key a label, where one passage is shown to be checked; not while somebody types, nor on a link.
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target.closest("textarea, select, input:not([type=radio], [type=checkbox])")) return;
  if (event.key === "Enter" && event.target.closest("a, button")) return;
  const one = document.querySelector(`[data-keys] [data-key="${CSS.escape(event.key)}"]`);
  if (!one || event.repeat) return;
  event.preventDefault();
  one.click();
});
// What was typed was looked for already; to load the list again as the field is left would lose what is marked.
document.addEventListener("change", (event) => { if (event.target.id === "text") event.stopPropagation(); }, true);
document.addEventListener("change", (event) => {
  if (event.target.id === "all") for (const box of document.querySelectorAll("#list input[name=id]")) box.checked = event.target.checked;
  const zone = document.getElementById("drop");
  if (event.target.id === "files") { enqueue(event.target.files, zone); event.target.value = ""; }
});
document.addEventListener("htmx:afterSettle", (event) => {
  const on = event.target.closest?.("[data-on]") || event.target.querySelector?.("[data-on]");
  if (on) point(on.dataset.on, null);
});
document.addEventListener("htmx:responseError", () => say("This did not work. Load the page again."));

for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    const zone = document.getElementById("drop");
    if (!zone || !event.dataTransfer || ![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault();
    zone.classList.toggle("over", kind === "dragenter" || kind === "dragover");
    if (kind === "drop") enqueue(event.dataTransfer.files, zone);
  });
}
