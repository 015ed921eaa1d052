// Switches views without asking the server again, keeps the URL true, and looks again when a file was saved.
"use strict";

const form = document.getElementById("choice");
const frame = document.querySelector("iframe");
const keys = document.getElementById("keys");

function remember(name, value, usual) {
  const url = new URL(location.href);
  if (value === usual) url.searchParams.delete(name);
  else url.searchParams.set(name, value);
  history.replaceState(null, "", url);
  form.elements[name].value = value;
}

function mark(links, name, value) {
  for (const link of links) {
    if (link.dataset[name] === value) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

function show(view) {
  for (const tab of document.querySelectorAll("[role=tab]")) {
    const chosen = tab.dataset.view === view;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
    document.getElementById(`view-${tab.dataset.view}`).hidden = !chosen;
  }
  document.querySelector(".looks").hidden = view !== "html";
  remember("view", view, "html");
}

function widen(width) {
  if (frame) frame.className = width;
  mark(document.querySelectorAll("[data-width]"), "width", width);
  remember("width", width, "desktop");
}

function shade(scheme) {
  if (frame) frame.src = `${frame.dataset.src}?scheme=${scheme}`;
  mark(document.querySelectorAll("[data-scheme]"), "scheme", scheme);
  remember("scheme", scheme, "light");
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-view], [data-width], [data-scheme]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  if (link.dataset.view) show(link.dataset.view);
  if (link.dataset.width) widen(link.dataset.width);
  if (link.dataset.scheme) shade(link.dataset.scheme);
});

// On a phone the phone's width is the usual one, unless the URL says otherwise.
if (frame && !new URL(location.href).searchParams.has("width") && matchMedia("(max-width: 760px)").matches) widen("phone");

// Fields that say nothing stay out of the URL.
form.addEventListener("submit", () => {
  for (const field of form.elements) {
    const usual = { edition: "next", view: "html", width: "desktop", scheme: "light" }[field.name] ?? "";
    if (field.name && field.value === usual) field.disabled = true;
  }
});
window.addEventListener("pageshow", () => {
  for (const field of form.elements) if (field.tagName !== "FIELDSET") field.disabled = false;
});
form.addEventListener("change", (event) => {
  if (event.target.name === "newsletter") {
    for (const field of form.querySelectorAll("[name=edition], [name=section]")) field.disabled = true;
  }
  if (event.target.name !== "section") form.requestSubmit();
});

document.querySelector(".tabs")?.addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const tabs = [...document.querySelectorAll("[role=tab]")];
  const next = tabs[(tabs.indexOf(event.target) + step + tabs.length) % tabs.length];
  show(next.dataset.view);
  next.focus();
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select")) return;
  const tabs = document.querySelectorAll("[role=tab]");
  if (event.key === "?") keys.showModal();
  else if (event.key === "/") form.elements.as.focus();
  else if (!tabs.length) return;
  else if (event.key === "d") shade(form.elements.scheme.value === "dark" ? "light" : "dark");
  else if (event.key === "w") widen(form.elements.width.value === "phone" ? "desktop" : "phone");
  else if (Number(event.key) >= 1 && Number(event.key) <= tabs.length) show(tabs[event.key - 1].dataset.view);
  else return;
  event.preventDefault();
});

new EventSource("/changes").addEventListener("changed", () => location.reload());
