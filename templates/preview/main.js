// The page: every control is a link or a form; a new choice is fetched and laid over what is shown, so that scroll,
// focus and panes stay. A saved file does the same with the choice that is shown.
import { reconcile, resettle } from "./panes.js";
import { load as loadFindings, draw } from "./marks.js";
import { listen as listenToKeys } from "./keys.js";
import { listen as listenToForms, isDirty } from "./forms.js";

const byId = (id) => document.getElementById(id);
const SAID_FOR = 5000; // milliseconds
let asked = 0;
let saidTimer = 0;
let findingsTimer = 0;
const FINDINGS_AFTER = 180; // milliseconds: the picture first, then what is wrong with it

// A line at the foot of the page; it goes after a while, unless it is `lasting`.
export function say(words, lasting = false) {
  clearTimeout(saidTimer);
  byId("said").textContent = words;
  if (words && !lasting) saidTimer = setTimeout(() => say(""), SAID_FOR);
}

// Show what `url` chooses. `how` is "push" for a choice of the person, "replace" for a resize, "" for going back and for
// a reload. The address changes at once, so that a save or a further key meanwhile starts from this choice.
export async function show(url, how = "push") {
  if (how === "push") history.pushState(null, "", url);
  if (how === "replace") history.replaceState(null, "", url);
  const mine = ++asked;
  let text;
  try {
    const answer = await fetch(url, { headers: { Accept: "text/html" } });
    if (!answer.ok) throw new Error(String(answer.status));
    text = await answer.text();
  } catch {
    if (mine === asked) say("The preview does not answer. Open the address that `newsletter preview` prints.", true);
    return;
  }
  if (mine !== asked) return; // a later choice was made meanwhile
  await lay(new DOMParser().parseFromString(text, "text/html"), how);
}

async function lay(fresh, how) {
  const focused = document.activeElement?.id;
  document.title = fresh.title;
  layForm(fresh, how);
  for (const part of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(part.id);
    if (next && part.innerHTML !== next.innerHTML) {
      const top = part.scrollTop;
      part.replaceChildren(...next.childNodes);
      part.scrollTop = top;
    }
  }
  for (const id of ["bench", "stage"]) byId(id).className = fresh.getElementById(id).className;
  layView(fresh);
  layEditor(fresh);
  byId("findings").dataset.source = fresh.getElementById("findings").dataset.source;
  const panes = fresh.getElementById("panes");
  const painted = byId("panes").hidden && panes.hidden ? null : reconcile(byId("panes"), panes);
  byId("panes").hidden = panes.hidden;
  if (focused && document.activeElement === document.body) byId(focused)?.focus({ preventScroll: true });
  await painted;
  draw();
  requestAnimationFrame(() => requestAnimationFrame(() => {
    document.dispatchEvent(new CustomEvent("preview:painted", { detail: byId("hash")?.textContent ?? "" }));
  }));
  findingsSoon();
}

function layForm(fresh, how) {
  const form = byId("choice"), next = fresh.getElementById("choice");
  const typing = form.contains(document.activeElement) && document.activeElement.matches("input");
  if (how === "" && typing) return; // a save must not take the word away that somebody is typing
  const open = form.querySelector("details")?.open;
  form.replaceChildren(...next.childNodes);
  const details = form.querySelector("details");
  if (details && open && how !== "push") details.open = true;
}

function layView(fresh) {
  const view = byId("view"), next = fresh.getElementById("view");
  const same = byId("show").dataset.view === fresh.getElementById("show").dataset.view;
  const inner = [...view.querySelectorAll("pre, .diff")].map((one) => one.scrollTop);
  const top = view.scrollTop;
  view.replaceChildren(...next.childNodes);
  view.setAttribute("aria-label", next.getAttribute("aria-label"));
  view.hidden = next.hidden;
  byId("show").dataset.view = fresh.getElementById("show").dataset.view;
  view.scrollTop = same ? top : 0;
  if (same) [...view.querySelectorAll("pre, .diff")].forEach((one, place) => { one.scrollTop = inner[place] ?? 0; });
}

function layEditor(fresh) {
  const editor = byId("editor"), next = fresh.getElementById("editor");
  editor.hidden = next.hidden;
  if (editor.dataset.scenario === next.dataset.scenario && (isDirty() || editor.contains(document.activeElement))) return;
  editor.dataset.scenario = next.dataset.scenario;
  editor.replaceChildren(...next.childNodes);
}

function findingsSoon() {
  clearTimeout(findingsTimer);
  findingsTimer = setTimeout(() => loadFindings(byId("findings")), FINDINGS_AFTER);
}

function urlOf(form) {
  const fields = [...new FormData(form)].filter(([name, value]) => value && !(name === "edition" && value === "next"));
  return `/?${new URLSearchParams(fields)}`;
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='/?']");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  show(link.getAttribute("href"));
});

document.addEventListener("submit", (event) => {
  if (event.target.id !== "choice") return;
  event.preventDefault();
  settleMoment();
  show(urlOf(event.target));
});

// A time is typed digit by digit, and each digit is a change: it counts with Enter, or once its field is left.
document.addEventListener("focusout", (event) => {
  if (event.target.id !== "moment" || !event.target.isConnected || byId("at").value !== "pick") return;
  settleMoment();
  show(urlOf(event.target.form));
});

function settleMoment() {
  const at = byId("at");
  if (at.value === "pick") at.selectedOptions[0].value = byId("moment").value;
}

document.addEventListener("change", (event) => {
  const field = event.target;
  if (field.matches("[data-go]") && field.value) show(field.value);
  else if (field.matches("[data-go-width]") && field.value) show(field.dataset.goWidth.replace("987654321", field.value), "replace");
  else if (field.id === "at" && field.value === "pick") pick();
  else if (field.form?.id === "choice" && field.id !== "moment") {
    // Editions and sections belong to a newsletter: with another one they are its own again.
    if (field.name === "newsletter") {
      for (const one of field.form.querySelectorAll("[name=edition], [name=section]")) one.disabled = true;
    }
    show(urlOf(field.form));
  }
});

// Another time: a field for it takes the place of the list.
function pick() {
  const moment = byId("moment");
  moment.parentElement.hidden = false;
  moment.focus();
}

addEventListener("popstate", () => show(location.href, ""));

let lost = false;
// From what this page shows on, also where something was saved before it began to listen.
const events = new EventSource(`/changes?since=${document.documentElement.dataset.seen}`);
events.addEventListener("changed", () => show(location.href, ""));
events.addEventListener("open", () => {
  if (!lost) return;
  lost = false;
  say("");
  show(location.href, "");
});
events.addEventListener("error", () => {
  if (!lost) say("The preview has stopped. This page goes on as soon as it runs again.", true);
  lost = true;
});

// Where a desktop's width has no room the phone's is the usual one, unless the URL says otherwise.
const here = new URL(location.href);
if (!here.searchParams.has("pane") && matchMedia("(max-width: 1000px)").matches) {
  here.searchParams.set("pane", "375.light");
  show(here.pathname + here.search, "replace");
}

listenToKeys({ show, urlOf });
listenToForms({ show, say });
byId("help").addEventListener("click", () => byId("keys").showModal());
resettle(byId("panes")).then(() => {
  draw();
  requestAnimationFrame(() => requestAnimationFrame(() => {
    document.dispatchEvent(new CustomEvent("preview:painted", { detail: byId("hash")?.textContent ?? "" }));
    document.documentElement.dataset.ready = "yes";
  }));
  findingsSoon();
});
