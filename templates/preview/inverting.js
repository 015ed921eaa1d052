// Turn round the colours that a browser computed, as clients do that invert a mail themselves. "partial": light
// backgrounds become dark and dark words on them light; "full": every colour. Pictures stay. The shades are ours.
export function invert(document, how) {
  const DARKEST = 0.09, LIGHTEST = 0.92;
  const view = document.defaultView;
  const borders = ["top", "right", "bottom", "left"].map((side) => `border-${side}-color`);

  function read(text) {
    const found = /^rgba?\(([\d.]+), ([\d.]+), ([\d.]+)(?:, ([\d.]+))?\)$/.exec(text);
    if (!found) return null;
    const [red, green, blue] = found.slice(1, 4).map((one) => Number(one) / 255);
    const most = Math.max(red, green, blue), least = Math.min(red, green, blue), spread = most - least;
    const light = (most + least) / 2;
    let hue = 0;
    if (spread) hue = most === red ? ((green - blue) / spread + 6) % 6 : most === green ? (blue - red) / spread + 2 : (red - green) / spread + 4;
    return { hue: hue * 60, spread, light, alpha: found[4] === undefined ? 1 : Number(found[4]) };
  }
  function turned(colour) {
    return { ...colour, light: DARKEST + (1 - colour.light) * (LIGHTEST - DARKEST) };
  }
  function written(colour) {
    // The spread is kept, not the saturation: nearly white paper would come out coloured.
    const full = Math.min(1, colour.spread / Math.max(0.001, 1 - Math.abs(2 * colour.light - 1)));
    return `hsla(${colour.hue.toFixed(1)}, ${(100 * full).toFixed(1)}%, ${(100 * colour.light).toFixed(1)}%, ${colour.alpha})`;
  }
  function turnsBackground(colour) {
    return how === "full" || colour.light > 0.5;
  }

  const all = [document.documentElement, ...document.body.querySelectorAll("*")];
  all.splice(1, 0, document.body);
  const changes = [], behind = new Map();
  const page = { hue: 0, spread: 0, light: 1, alpha: 1 };
  for (const element of all) {
    const style = view.getComputedStyle(element);
    const own = read(style.backgroundColor);
    const above = behind.get(element.parentElement) ?? turned(page);
    const painted = own && own.alpha > 0 ? own : null;
    const now = painted ? (turnsBackground(painted) ? turned(painted) : painted) : above;
    behind.set(element, now);
    if (painted && now !== painted) changes.push([element, "background-color", written(now)]);
    if (element === document.documentElement && !painted) changes.push([element, "background-color", written(now)]);
    const words = read(style.color);
    if (words && (how === "full" || (words.light < 0.5 && now.light < 0.5))) {
      changes.push([element, "color", written(turned(words))]);
    }
    for (const name of borders) {
      const line = read(style.getPropertyValue(name));
      if (line && line.alpha > 0 && turnsBackground(line)) changes.push([element, name, written(turned(line))]);
    }
  }
  for (const [element, name, value] of changes) element.style.setProperty(name, value, "important");
}
