// Panes: each a frame as high as its mail, so that the pane scrolls and not the frame. A frame is replaced behind the
// one that is shown, and only once it is drawn.
import { invert } from "./inverting.js";
import { draw } from "./marks.js";
import { show } from "./main.js";

const LEAST_HEIGHT = 120;

// Make `shown` what `next` says; resolves when every frame is drawn.
export async function reconcile(shown, next) {
  const wanted = [...next.querySelectorAll(":scope > .one")];
  const there = [...shown.querySelectorAll(":scope > .one")];
  if (!wanted.length || !there.length) {
    shown.replaceChildren(...next.childNodes);
    return resettle(shown);
  }
  there.slice(wanted.length).forEach((one) => one.remove());
  await Promise.all(wanted.map((one, place) => {
    if (place < there.length) return change(there[place], one);
    shown.append(one);
    return settle(one);
  }));
}

// Settle the frames that the server sent with the page.
export function resettle(shown) {
  return Promise.all([...shown.querySelectorAll(":scope > .one")].map((one) => settle(one)));
}

async function change(one, next) {
  const head = one.querySelector(".one-head"), newHead = next.querySelector(".one-head");
  if (head.innerHTML !== newHead.innerHTML) {
    const open = head.querySelector("details").open;
    head.replaceChildren(...newHead.childNodes);
    head.querySelector("details").open = open;
  }
  const old = one.querySelector("iframe");
  const fresh = one.dataset.frame === next.dataset.frame ? null : next.querySelector("iframe");
  for (const name of ["width", "look", "inverts", "frame"]) one.dataset[name] = next.dataset[name];
  one.setAttribute("aria-label", next.getAttribute("aria-label"));
  one.querySelector(".grip").setAttribute("aria-valuenow", next.dataset.width);
  if (!fresh) {
    old.width = next.dataset.width;
    fit(one, old);
    return;
  }
  fresh.height = old.height;
  fresh.classList.add("behind");
  const drawn = settle(one, fresh);
  one.querySelector(".sheet").insertBefore(fresh, old);
  await drawn;
  fresh.classList.remove("behind");
  for (const frame of [...one.querySelectorAll("iframe")]) if (frame !== fresh) frame.remove();
}

async function settle(one, frame = one.querySelector("iframe")) {
  if (!frame) return;
  await loaded(frame);
  const inner = frame.contentDocument;
  if (!inner?.body) return;
  if (one.dataset.inverts) invert(inner, one.dataset.inverts);
  one.querySelector(".scroller").style.background = paper(inner);
  fit(one, frame);
  new ResizeObserver(() => { if (frame.isConnected) { fit(one, frame); draw(); } }).observe(inner.documentElement);
  listenInside(inner);
}

// The ground that a mail stands on, also below where it ends, as a client's window has it; '' where it says none.
function paper(inner) {
  const grounds = [inner.body, inner.documentElement].map((one) => inner.defaultView.getComputedStyle(one).backgroundColor);
  return grounds.find((one) => one !== "rgba(0, 0, 0, 0)") ?? "";
}

function loaded(frame) {
  const inner = frame.isConnected && frame.contentDocument;
  if (inner && inner.readyState === "complete" && inner.URL !== "about:blank") return Promise.resolve();
  return new Promise((done) => frame.addEventListener("load", done, { once: true }));
}

function fit(one, frame) {
  const inner = frame.contentDocument?.documentElement;
  if (!inner) return;
  const height = Math.max(LEAST_HEIGHT, Math.ceil(inner.getBoundingClientRect().height), frame.contentDocument.body?.scrollHeight ?? 0);
  if (Number(frame.height) !== height) frame.height = String(height);
}

// Keys work too while the mail has the focus.
function listenInside(inner) {
  inner.addEventListener("keydown", (event) => {
    if (event.key.startsWith("Arrow") || event.key === "Tab" || event.key === "Enter") return;
    const copy = new KeyboardEvent("keydown", { key: event.key, ctrlKey: event.ctrlKey, metaKey: event.metaKey, altKey: event.altKey, bubbles: true, cancelable: true });
    if (!document.dispatchEvent(copy)) event.preventDefault();
  });
}

function widen(one, width, done) {
  const grip = one.querySelector(".grip");
  const within = Math.min(Math.max(Math.round(width), Number(grip.getAttribute("aria-valuemin"))), Number(grip.getAttribute("aria-valuemax")));
  const frame = one.querySelector("iframe");
  frame.width = String(within);
  grip.setAttribute("aria-valuenow", String(within));
  one.querySelector(".pixels").value = String(within);
  fit(one, frame);
  draw();
  if (done) show(one.querySelector(".pixels").dataset.goWidth.replace("987654321", String(within)), "replace");
}

document.addEventListener("pointerdown", (event) => {
  const grip = event.target.closest?.(".grip");
  if (!grip) return;
  event.preventDefault();
  grip.focus();
  grip.setPointerCapture(event.pointerId);
  const one = grip.closest(".one"), from = event.clientX, before = Number(one.querySelector("iframe").width);
  const move = (moved) => widen(one, before + moved.clientX - from, false);
  grip.addEventListener("pointermove", move);
  grip.addEventListener("pointerup", (up) => {
    grip.removeEventListener("pointermove", move);
    widen(one, before + up.clientX - from, true);
  }, { once: true });
});

document.addEventListener("keydown", (event) => {
  const grip = event.target.closest?.(".grip");
  const step = { ArrowLeft: -20, ArrowRight: 20 }[event.key];
  if (!grip || !step) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  const one = grip.closest(".one");
  widen(one, Number(one.querySelector("iframe").width) + step, true);
}, true);
