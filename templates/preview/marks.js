// What is said of the mail, beside the place it is said of: findings, the line where Gmail clips, spoken lines.
let pointed = null; // the number of the element that is pointed at
const NEAR = 22; // pixels: marks closer than this become one

export async function load(findings) {
  const source = findings.dataset.source;
  if (!source) {
    findings.replaceChildren();
    draw();
    return;
  }
  if (findings.dataset.loaded === source) return draw();
  try {
    const answer = await fetch(source);
    if (!answer.ok) {
      const said = await answer.json().catch(() => ({ words: "The findings could not be read." }));
      throw new Error(said.words);
    }
    const text = await answer.text();
    if (findings.dataset.source !== source) return; // a later preview is shown
    const open = new Set([...findings.querySelectorAll("details[open] summary")].map((one) => one.textContent));
    findings.replaceChildren(...new DOMParser().parseFromString(text, "text/html").body.childNodes);
    for (const summary of findings.querySelectorAll("details summary")) if (open.has(summary.textContent)) summary.parentElement.open = true;
    if (findings.dataset.loaded) pointed = null; // numbers are those of one message
    findings.dataset.loaded = source;
  } catch (error) {
    findings.textContent = error.message;
  }
  draw();
}

// Lay marks over every pane anew.
export function draw() {
  const findings = [...document.querySelectorAll("#findings .instance")].filter((one) => Number(one.dataset.element) >= 0);
  const ruler = document.getElementById("ruler");
  for (const one of document.querySelectorAll("#panes .one")) {
    const overlay = one.querySelector(".overlay"), frame = one.querySelector("iframe:not(.behind)");
    if (!overlay || !frame?.contentDocument) continue;
    overlay.replaceChildren(...marks(frame, findings), ...line(frame, ruler), ...outlined(frame));
  }
}

// Where an element stands in its frame: its own box, or that of the nearest one above it that is drawn.
function box(frame, number) {
  let element = frame.contentDocument.querySelector(`[data-n="${number}"]`);
  while (element) {
    const found = element.getBoundingClientRect();
    if (found.width > 1 && found.height > 1) return found;
    element = element.parentElement;
  }
  return null;
}

function marks(frame, findings) {
  const placed = [];
  for (const finding of findings) {
    const found = box(frame, finding.dataset.element);
    if (!found) continue;
    const near = placed.find((one) => Math.abs(one.top - found.top) < NEAR);
    if (near) near.findings.push(finding);
    else placed.push({ top: found.top, findings: [finding] });
  }
  return placed.map(({ top, findings: mine }) => {
    const mark = document.createElement("button");
    const rules = [...new Set(mine.map((one) => one.dataset.rule))];
    mark.type = "button";
    mark.className = `mark ${mine.some((one) => one.dataset.severity === "error") ? "error" : "warning"}`;
    mark.style.top = `${Math.max(0, top)}px`;
    mark.textContent = rules.length > 1 ? `${rules[0]} +${rules.length - 1}` : rules[0];
    mark.setAttribute("aria-label", `Finding: ${rules.join(", ")}`);
    mark.title = mine.map((one) => one.firstElementChild.textContent).join("\n");
    mark.addEventListener("click", () => {
      mine[0].scrollIntoView({ block: "nearest" });
      mine[0].querySelector("button")?.focus();
      point(mine[0].dataset.element, false);
    });
    return mark;
  });
}

function line(frame, ruler) {
  if (!ruler?.dataset.cut) return [];
  const found = box(frame, ruler.dataset.cut);
  if (!found) return [];
  const cut = document.createElement("div");
  cut.className = "cut-line";
  cut.style.top = `${found.top}px`;
  const below = Number(ruler.dataset.below);
  cut.textContent = `Gmail clips here: ${below} ${below === 1 ? "story" : "stories"} below, unsubscribe ${ruler.dataset.unsubscribe}`;
  return [cut];
}

// Show the element of this number in every pane; `scroll` brings it into view.
export function point(number, scroll = true) {
  pointed = number;
  for (const one of document.querySelectorAll("#panes .one")) {
    const frame = one.querySelector("iframe:not(.behind)"), overlay = one.querySelector(".overlay");
    if (!frame?.contentDocument || !overlay) continue;
    overlay.querySelector(".pointed")?.remove();
    const [outline] = outlined(frame);
    if (!outline) continue;
    overlay.append(outline);
    if (scroll) {
      const scroller = one.querySelector(".scroller");
      scroller.scrollTop = Math.max(0, box(frame, number).top - scroller.clientHeight / 3);
    }
  }
}

function outlined(frame) {
  const found = pointed === null ? null : box(frame, pointed);
  if (!found) return [];
  const outline = document.createElement("div");
  outline.className = "pointed";
  Object.assign(outline.style, { top: `${found.top}px`, left: `${found.left}px`, width: `${found.width}px`, height: `${found.height}px` });
  return [outline];
}

document.addEventListener("click", (event) => {
  const said = event.target.closest(".point, .say");
  if (!said) return;
  point((said.closest("[data-element]") ?? said).dataset.element);
});
