// Cuts the providers' OpenAPI documents down to what a reaper and its tests say and hear, as tests/fixtures/openapi/*.json.
// Usage: NODE_PATH=ENVIRONMENT/node_modules node trim.cjs FOLDER
// FOLDER holds the documents under the names of DOCUMENTS; ENVIRONMENT is one that run.sh has made.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const yaml = require("yaml");

const BROWSERS = { "/browsers": ["get", "post"], "/browsers/{session_id}": ["get", "patch"] };

// What is missing here is refused by whoever serves the documents: no DELETE anywhere, and no PATCH of a session under v4.
const DOCUMENTS = {
  "browserbase.openapi.yaml": {
    "/v1/sessions": ["get", "post"],
    "/v1/sessions/{id}": ["get", "post"],
    "/v1/sessions/{id}/logs": ["get"],
    "/v1/sessions/{id}/debug": ["get"],
  },
  "browser-use-v2.openapi.json": {
    "/sessions": ["get", "post"],
    "/sessions/{session_id}": ["get", "patch"],
    "/tasks": ["get", "post"],
    "/tasks/{task_id}": ["patch"],
    ...BROWSERS,
  },
  "browser-use-v3.openapi.json": {
    "/sessions": ["get", "post"],
    "/sessions/{session_id}": ["get"],
    "/sessions/{session_id}/stop": ["post"],
    "/sessions/{session_id}/messages": ["get"],
    ...BROWSERS,
  },
  "browser-use-v4.openapi.json": {
    "/sessions": ["get"],
    "/sessions/{session_id}": ["get"],
    "/runs": ["get", "post"],
    "/runs/{run_id}": ["get"],
    "/runs/{run_id}/status": ["get"],
    "/runs/{run_id}/cancel": ["post"],
    ...BROWSERS,
  },
};

/** The chosen operations of each path. A path or a method that the document does not have is a mistake in DOCUMENTS. */
function chosen(document, wanted) {
  const pick = ([name, methods]) => {
    const item = document.paths[name] ?? {};
    const operations = methods.map((method) => [method, item[method]]);
    const missing = operations.filter(([, operation]) => !operation).map(([method]) => method);
    if (missing.length) throw new Error(`${document.info.title} has no ${missing} ${name}`);
    return [name, Object.fromEntries(item.parameters ? [["parameters", item.parameters], ...operations] : operations)];
  };
  return Object.fromEntries(Object.entries(wanted).map(pick));
}

/** Without the prose: descriptions, titles, examples, extensions. A property may well be called `title`: names are kept, whatever they are. */
function terse(node, areNames = false) {
  if (Array.isArray(node)) return node.map((item) => terse(item));
  if (node === null || typeof node !== "object") return node;
  const prose = (key, value) =>
    key.startsWith("x-") || key === "example" || key === "examples" || (["description", "summary", "title"].includes(key) && typeof value === "string");
  const kept = Object.entries(node).filter(([key, value]) => areNames || !prose(key, value));
  return Object.fromEntries(kept.map(([key, value]) => [key, terse(value, ["properties", "schemas"].includes(key) && !areNames)]));
}

/** Everything under `components` that these operations refer to, and what that refers to in turn. */
function referred(document, paths) {
  const components = { securitySchemes: document.components.securitySchemes };
  const follow = (node) => {
    if (node === null || typeof node !== "object") return;
    const [, kind, name] = /^#\/components\/([^/]+)\/([^/]+)$/.exec(node.$ref ?? "") ?? [];
    if (kind && !components[kind]?.[name]) {
      (components[kind] ??= {})[name] = document.components[kind][name];
      follow(components[kind][name]);
    }
    Object.values(node).forEach(follow);
  };
  follow(paths);
  return components;
}

function trimmed(document, wanted) {
  const { openapi, info, servers, security } = document;
  const paths = chosen(document, wanted);
  const kept = { security, paths: terse(paths, true), components: terse(referred(document, paths)) };
  // A valid document describes each response, if only with nothing.
  const responses = Object.values(kept.paths).flatMap((item) => Object.values(item).flatMap((operation) => Object.values(operation.responses ?? {})));
  responses.forEach((response) => Object.assign(response, { description: "" }));
  return { openapi, info: { title: info.title, version: info.version }, servers, ...kept };
}

const source = process.argv[2];
if (!source) throw new Error("the folder with the documents is missing");
for (const [name, wanted] of Object.entries(DOCUMENTS)) {
  const document = yaml.parse(fs.readFileSync(path.join(source, name), "utf8"));
  const target = path.join(__dirname, "../fixtures/openapi", name.replace(/\.openapi\.(yaml|json)$/, ".json"));
  fs.writeFileSync(target, `${JSON.stringify(trimmed(document, wanted), null, 1)}\n`);
}
