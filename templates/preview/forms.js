// What sends something: the editor of a scenario, "send me this"; and the addresses offered while one is typed.
let offered = 0;

export function isDirty() {
  const text = document.getElementById("scenario-text");
  return text !== null && text.value !== text.defaultValue;
}

function ask(path, method, body) {
  const token = document.querySelector("meta[name=preview-token]").content;
  const headers = { "X-Preview-Token": token, "Content-Type": "application/json" };
  return fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
}

async function fault(answer) {
  const said = await answer.json().catch(() => ({}));
  return typeof said.words === "string" ? said.words : `It was refused (${answer.status}).`;
}

export function listen({ show, say }) {
  const byId = (id) => document.getElementById(id);

  function showEdition(edition) {
    const url = new URL(location.href);
    url.searchParams.set("edition", edition);
    show(url.pathname + url.search, "push");
  }

  async function save() {
    const text = byId("scenario-text"), wrong = byId("scenario-fault");
    const name = byId("scenario-name").value.trim();
    const answer = await ask(`/scenarios/${encodeURIComponent(name)}`, "POST", { text: text.value });
    if (!answer.ok) {
      wrong.textContent = await fault(answer);
      select(text, Number(/:(\d+): /.exec(wrong.textContent)?.[1] ?? 0));
      return;
    }
    wrong.textContent = "";
    text.defaultValue = text.value;
    const saved = await answer.json();
    say(`Saved as ${saved.file}`);
    byId("editor").dataset.scenario = saved.edition.replace("scenario:", "");
    showEdition(saved.edition);
  }

  function select(text, line) {
    if (!line) return;
    const lines = text.value.split("\n");
    const start = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
    text.focus();
    text.setSelectionRange(start, start + (lines[line - 1] ?? "").length);
  }

  async function forget() {
    const name = byId("scenario").dataset.name;
    const answer = await ask(`/scenarios/${encodeURIComponent(name)}`, "DELETE");
    if (!answer.ok) {
      byId("scenario-fault").textContent = await fault(answer);
      return;
    }
    byId("scenario-text").defaultValue = byId("scenario-text").value;
    byId("editor").dataset.scenario = "";
    say("Forgotten");
    showEdition((await answer.json()).edition);
  }

  async function send(form) {
    const said = byId("test-said"), button = form.querySelector("button");
    button.disabled = true;
    said.textContent = "Sending …";
    const answer = await ask("/tests", "POST", { sha256: form.dataset.sha256, address: byId("test-address").value });
    const words = answer.ok ? (await answer.json()).words : await fault(answer);
    button.disabled = false;
    (byId("test-said") ?? said).textContent = words;
  }

  document.addEventListener("submit", (event) => {
    if (event.target.id === "scenario") { event.preventDefault(); save(); }
    if (event.target.id === "test") { event.preventDefault(); send(event.target); }
  });
  document.addEventListener("click", (event) => {
    if (event.target.id === "scenario-forget") forget();
  });
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "s" && byId("editor").contains(event.target)) {
      event.preventDefault();
      save();
    }
  });
  document.addEventListener("input", async (event) => {
    if (event.target.id !== "as") return;
    const mine = ++offered;
    const asked = new URLSearchParams({ newsletter: byId("newsletter").value, search: event.target.value });
    const answer = await fetch(`/readers?${asked}`);
    if (!answer.ok || mine !== offered) return;
    byId("readers").replaceChildren(...(await answer.json()).map((address) => new Option(address, address)));
  });
}
