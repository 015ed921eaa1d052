// The keyboard does everything. Letters act when no field has the focus; Esc leaves a field.
const PANE = /^(\d+)\.([a-z-]+)$/;
const LOOKS = ["light", "dark", "partial", "full", "outlook", "unstyled", "no-pictures"];

export function listen({ show, urlOf }) {
  const byId = (id) => document.getElementById(id);

  // The choice shown, its panes changed by `how`.
  function panes(how) {
    const url = new URL(location.href);
    const now = url.searchParams.getAll("pane");
    const changed = how((now.length ? now : ["800.light"]).map((one) => {
      const found = PANE.exec(one);
      return { width: Number(found?.[1] ?? 800), look: found?.[2] ?? "light" };
    }));
    url.searchParams.delete("pane");
    const texts = changed.map((one) => `${one.width}.${one.look}`);
    if (texts.join() !== "800.light") for (const text of texts) url.searchParams.append("pane", text);
    show(url.pathname + url.search);
  }

  function toggle(name, value) {
    const url = new URL(location.href);
    if (url.searchParams.get(name) === value) url.searchParams.delete(name);
    else url.searchParams.set(name, value);
    show(url.pathname + url.search);
  }

  function view(name) {
    const url = new URL(location.href);
    if (name === "html") url.searchParams.delete("view");
    else url.searchParams.set("view", name);
    show(url.pathname + url.search);
  }

  function edition(step) {
    const field = byId("edition");
    const place = field.selectedIndex + step;
    if (place < 0 || place >= field.options.length) return;
    field.selectedIndex = place;
    show(urlOf(byId("choice")));
  }

  async function reader(step) {
    const asked = new URLSearchParams({ newsletter: byId("newsletter").value, address: byId("as").value.trim(), step });
    const answer = await fetch(`/readers/beside?${asked}`);
    if (!answer.ok) return;
    byId("as").value = (await answer.json()).address;
    show(urlOf(byId("choice")));
  }

  function nextFinding() {
    const all = [...document.querySelectorAll("#findings .point")];
    const place = all.indexOf(document.activeElement);
    const next = all[(place + 1) % all.length];
    next?.focus();
    next?.click();
  }

  const actions = {
    "?": () => byId("keys").showModal(),
    "/": () => { byId("as").focus(); byId("as").select(); },
    d: () => panes((all) => all.map((one) => ({ ...one, look: one.look === "dark" ? "light" : "dark" }))),
    l: () => panes(([first, ...rest]) => [{ ...first, look: LOOKS[(LOOKS.indexOf(first.look) + 1) % LOOKS.length] }, ...rest]),
    w: () => panes(([first, ...rest]) => [{ ...first, width: first.width === 375 ? 800 : 375 }, ...rest]),
    p: () => {
      const field = byId("arrangement");
      if (!field) return;
      const next = field.options[field.selectedIndex + 1] ?? field.options[1];
      show(next.value);
    },
    n: nextFinding,
    t: () => byId("at").focus(),
    e: () => byId("edit")?.click(),
    s: () => (byId("test-address") ?? byId("side")).focus(),
    f: () => toggle("wide", "1"),
    ArrowLeft: () => reader(-1),
    ArrowRight: () => reader(1),
    ArrowUp: () => edition(-1),
    ArrowDown: () => edition(1),
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || byId("keys").open) return;
    const target = event.target instanceof Element ? event.target : document.body;
    if (target.matches("input, select, textarea")) {
      if (event.key === "Escape") target.blur();
      return;
    }
    // Arrows scroll what has the focus and can scroll.
    if (event.key.startsWith("Arrow") && target.closest(".scroller, .view, .excerpt, .diff, .grip, pre, .list, .facts")) return;
    const tab = document.querySelector(`.tabs a[data-key="${CSS.escape(event.key)}"]`);
    const action = tab ? () => view(tab.id.replace("to-", "")) : actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}
