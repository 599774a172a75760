// Prism between us and the simulator: it holds every request and every answer to a provider's own OpenAPI document.

import fs from "node:fs";
import path from "node:path";

import { Process } from "./process.mjs";

const DOCUMENTS = new URL("../fixtures/openapi/", import.meta.url);

/** Prism serves paths as the document has them: the path of the server's address has to be part of each. */
function served(document) {
  const prefix = new URL(document.servers[0].url).pathname.replace(/\/$/, "");
  return { ...document, paths: Object.fromEntries(Object.entries(document.paths).map(([name, item]) => [prefix + name, item])) };
}

export class Prism {
  /** How many answers we have got through it ourselves. */
  calls = 0;

  /** One for this document, before the server at this address. `folder` is for the document as it is served. */
  static async start(name, upstream, environment, folder) {
    const document = served(JSON.parse(fs.readFileSync(new URL(`${name}.json`, DOCUMENTS), "utf8")));
    const file = path.join(folder, `${name}.json`);
    fs.writeFileSync(file, JSON.stringify(document));
    const cli = path.join(environment, "node_modules/@stoplight/prism-cli/dist/index.js");
    const process = new Process("node", [cli, "proxy", "--host", "127.0.0.1", "--port", "0", "--errors", file, upstream]);
    const [, address] = await process.line(/Prism is listening on (\S+)/);
    return Object.assign(new Prism(), { document, process, address });
  }

  /** What Prism had to find fault with, requests and answers; its warnings too, such as for a status that the document does not have. */
  violations() {
    return this.process.lines.filter((line) => /\s(error|warning)\s/.test(line)).map((line) => line.replace(/^.*?›\s*/, ""));
  }

  /** The requests that Prism let through, in order, each with its operation in the document's words: `PATCH /api/v2/browsers/{session_id}`. */
  requests() {
    const forwarded = this.process.lines.map((line) => /> Forwarding "(\w+)" request to (\S+?)\.\.\.$/.exec(line)).filter(Boolean);
    return forwarded.map(([, method, address]) => {
      const url = new URL(address);
      const known = Object.keys(this.document.paths).find((name) => fits(name, url.pathname));
      return { method, url, path: known, operation: `${method.toUpperCase()} ${known}` };
    });
  }

  /** Parameters of a request that the document does not know. Prism lets them through, and so does a provider, who pays no heed to them. */
  unknownParameters({ method, url, path: name }) {
    const declared = (this.document.paths[name][method].parameters ?? []).filter((parameter) => parameter.in === "query").map(({ name }) => name);
    return [...url.searchParams.keys()].filter((key) => !declared.includes(key)).map((key) => `${url.pathname} has no parameter ${key}`);
  }
}

function fits(template, pathname) {
  const [wanted, found] = [template.split("/"), pathname.split("/")];
  return wanted.length === found.length && wanted.every((part, at) => part.startsWith("{") || part === found[at]);
}
