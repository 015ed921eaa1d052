// Two judges in one process for all documents. stdin: a JSON list of {name, kind: "mail" | "page", html}. stdout: JSON,
// {verdicts: {name: {html: ["line:column rule: message"], clients: {"feature": ["client: note"]}}},
//  unused: [waivers that nothing needed]}. Nothing is fetched.
import { readFileSync } from "node:fs";
import { HtmlValidate, StaticConfigLoader } from "html-validate";
import { caniemail } from "caniemail";
import { waivers } from "./waivers.mjs";

const CLIENTS = ["gmail.*", "outlook.*", "apple-mail.*", "yahoo.*", "samsung-email.*"];
const validator = new HtmlValidate(new StaticConfigLoader({ root: true, extends: ["html-validate:standard"] }));
const used = new Set();

function faults(kind, html) {
  const found = validator.validateStringSync(html).results.flatMap((result) => result.messages);
  const left = found.filter(({ ruleId, message }) => {
    const waiver = kind === "mail" && waivers.find(({ rule, message: words }) => rule === ruleId && words.test(message));
    if (waiver) used.add(waiver);
    return !waiver;
  });
  return left.map(({ line, column, ruleId, message }) => `${line}:${column} ${ruleId}: ${message}`);
}

function unsupported(html) {
  const { issues } = caniemail({ clients: CLIENTS, html });
  const found = {};
  for (const byClient of [issues.errors, issues.warnings])
    for (const [client, features] of byClient)
      for (const { title, notes } of features) (found[title] ??= []).push(`${client}: ${notes?.join(" ") || "not supported"}`);
  return found;
}

const verdicts = {};
for (const { name, kind, html } of JSON.parse(readFileSync(0, "utf-8")))
  verdicts[name] = { html: faults(kind, html), clients: kind === "mail" ? unsupported(html) : {} };
const unused = waivers.filter((waiver) => !used.has(waiver)).map(({ rule, message }) => `${rule} ${message}`);
process.stdout.write(JSON.stringify({ verdicts, unused }));
