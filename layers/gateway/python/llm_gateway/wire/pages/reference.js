
"use strict";

// All text is put in as text, so that nothing that the API answers can become markup.
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

// `Code` in a description's words.
function words(text) {
  return (text || "").split("`").map((part, index) => (index % 2 ? element("code", {}, part) : part));
}

const base = new URL(".", document.baseURI);
const key = document.getElementById("key");
const remembered = {};
let api;

function resolved(schema) {
  return schema.$ref ? { ...api.components.schemas[schema.$ref.split("/").pop()], ...schema } : schema;
}

function alternatives(schema) {
  return (schema.anyOf || schema.oneOf || []).map(resolved);
}

function typeOf(given) {
  const schema = resolved(given);
  if (alternatives(schema).length) return alternatives(schema).map(typeOf).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.type === "array") return `list of ${schema.items ? typeOf(schema.items) : "anything"}`;
  return given.$ref ? schema.title : schema.type || "anything";
}

function bounds(schema) {
  const words = { minimum: "from", exclusiveMinimum: "more than", maximum: "up to", minLength: "at least", maxLength: "at most" };
  const units = { minLength: " characters", maxLength: " characters", maxItems: " items", maxProperties: " members" };
  Object.assign(words, { maxItems: "at most", maxProperties: "at most" });
  const own = [schema, ...alternatives(schema)];
  return own
    .flatMap((part) => Object.keys(words).map((name) => part[name] !== undefined && `${words[name]} ${part[name]}${units[name] || ""}`))
    .filter(Boolean)
    .join(", ");
}

function objectsIn(given) {
  const schema = resolved(given);
  const inside = schema.type === "array" && schema.items ? [schema.items] : schema.anyOf || schema.oneOf || [];
  return schema.properties ? [schema] : inside.flatMap(objectsIn);
}

function fields(schema) {
  const needed = new Set(schema.required || []);
  const list = element("ul", { class: "fields" });
  for (const [name, given] of Object.entries(schema.properties || {})) list.append(field(name, given, needed.has(name)));
  return list;
}

function field(name, given, needed) {
  const schema = resolved(given);
  const line = [
    element("code", {}, name),
    ` ${typeOf(given)} `,
    element("span", { class: "dim" }, [needed ? "required" : "", bounds(schema)].filter(Boolean).join(", ")),
    element("div", { class: "dim" }, ...words(given.description || schema.description)),
  ];
  const inner = objectsIn(given);
  if (!inner.length) return element("li", {}, ...line);
  // Only once it is opened: schemas may hold themselves.
  const open = (event) => event.target.open && event.target.children.length === 1 && event.target.append(...inner.map(titled));
  return element("li", {}, element("details", { ontoggle: open }, element("summary", {}, ...line)));
}

function titled(schema) {
  return element("div", {}, element("div", { class: "dim" }, schema.title || ""), fields(schema));
}

function responses(operation) {
  const list = element("ul", { class: "fields" });
  for (const [status, response] of Object.entries(operation.responses)) {
    const media = Object.values(response.content || {})[0];
    const line = [element("code", {}, status), " ", ...words(response.description), " "];
    const inner = media && media.schema ? objectsIn(media.schema) : [];
    const open = (event) => event.target.open && event.target.children.length === 1 && event.target.append(...inner.map(titled));
    list.append(
      inner.length
        ? element("li", {}, element("details", { ontoggle: open }, element("summary", {}, ...line)))
        : element("li", {}, ...line),
    );
  }
  return list;
}

function parameterRow(parameter, inputs) {
  const value = remembered[parameter.name] ?? parameter.example ?? "";
  const input = element("input", { value, "aria-label": parameter.name });
  inputs.push({ parameter, input });
  return element(
    "div",
    { class: "row" },
    element("label", {}, element("code", {}, parameter.name), element("span", { class: "dim" }, ` ${parameter.in}`)),
    input,
    element("span", { class: "dim" }, ...words(parameter.description)),
  );
}

function bodyEditor(operation) {
  const media = operation.requestBody && operation.requestBody.content["application/json"];
  if (!media) return null;
  const examples = Object.entries(media.examples || {});
  const text = (example) => JSON.stringify(example ? example[1].value : {}, null, 2);
  const area = element("textarea", { spellcheck: "false", "aria-label": "Body" });
  area.value = text(examples[0]);
  const choice = element("select", { "aria-label": "Example", onchange: () => (area.value = text(examples[choice.selectedIndex])) });
  choice.append(...examples.map(([name, example]) => element("option", { value: name }, example.summary || name)));
  return { area, view: element("div", {}, element("div", { class: "row" }, choice), area), schema: media.schema };
}

function requestOf(method, path, inputs, body) {
  let filled = path;
  const url = new URL(base);
  const headers = {};
  if (key.value) headers.Authorization = `Bearer ${key.value.trim()}`;
  const query = new URLSearchParams();
  for (const { parameter, input } of inputs) {
    if (parameter.in === "path") filled = filled.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    else if (input.value !== "" && parameter.in === "query") query.set(parameter.name, input.value);
    else if (input.value !== "") headers[parameter.name] = input.value;
  }
  if (body) headers["Content-Type"] = "application/json";
  url.pathname += filled.slice(1);
  url.search = query.toString();
  return [url, { method: method.toUpperCase(), headers, body: body ? body.area.value : undefined }];
}

function curlOf(url, request) {
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const headers = { ...request.headers };
  if (headers.Authorization) headers.Authorization = "Bearer $KEY";
  const lines = [`curl -sS -X ${request.method} ${quoted(url.href)}`];
  for (const [name, value] of Object.entries(headers)) lines.push(name === "Authorization" ? `-H "${name}: ${value}"` : `-H ${quoted(`${name}: ${value}`)}`);
  if (request.body !== undefined) lines.push(`-d ${quoted(request.body)}`);
  return lines.join(" \\\n  ");
}

async function send(url, request, output) {
  const status = element("p", { class: "dim" }, "Waiting…");
  const text = element("pre");
  output.replaceChildren(status, text);
  const started = performance.now();
  try {
    const response = await fetch(url, request);
    const elapsed = () => `${Math.round(performance.now() - started)} ms`;
    const reader = response.body ? response.body.pipeThrough(new TextDecoderStream()).getReader() : null;
    for (let part = reader && (await reader.read()); part && !part.done; part = await reader.read()) text.append(part.value);
    status.textContent = `${response.status} ${response.statusText}, ${elapsed()}, ${response.headers.get("X-Request-Id") || ""}`;
    status.className = response.ok ? "dim" : "bad";
    if ((response.headers.get("Content-Type") || "").includes("json")) remember((text.textContent = pretty(text.textContent)));
  } catch (error) {
    status.textContent = `No answer: ${error.message}`;
    status.className = "bad";
  }
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

// The query that was asked last is the one whose status and result are wanted next.
function remember(text) {
  const found = /"id": "(qry_\w+)"/.exec(text);
  if (found) remembered.query_id = found[1];
}

function operationView(path, method, operation) {
  const inputs = [];
  const body = bodyEditor(operation);
  const output = element("div");
  const shown = element("pre", { hidden: true });
  const ask = () => send(...requestOf(method, path, inputs, body), output);
  const curl = () => {
    shown.hidden = !shown.hidden;
    shown.textContent = curlOf(...requestOf(method, path, inputs, body));
  };
  const fill = () => [
    element("p", {}, ...words(operation.description)),
    operation["x-permission"] ? element("p", { class: "dim" }, `Takes the permission ${operation["x-permission"]}.`) : null,
    operation.parameters ? element("h3", {}, "Parameters") : null,
    ...(operation.parameters || []).map((parameter) => parameterRow(parameter, inputs)),
    body ? element("h3", {}, "Body") : null,
    body ? body.view : null,
    element("div", { class: "row" }, element("button", { onclick: ask }, "Send"), element("button", { class: "quiet", onclick: curl }, "As curl")),
    shown,
    output,
    body ? element("h3", {}, "Fields") : null,
    ...(body ? objectsIn(body.schema).map(fields) : []),
    element("h3", {}, "Answers"),
    responses(operation),
  ];
  const inside = element("div");
  const open = (event) => event.target.open && !inside.childNodes.length && inside.append(...fill().filter((child) => child !== null));
  return element(
    "details",
    { class: "operation", id: operation.operationId, ontoggle: open },
    element("summary", {}, element("span", { class: "method" }, method.toUpperCase()), element("code", {}, path), " ", element("span", { class: "dim" }, operation.summary || "")),
    inside,
  );
}

function render() {
  document.getElementById("title").textContent = `${api.info.title} ${api.info.version}`;
  const views = [element("p", {}, ...words(api.info.description || api.info.summary)), element("p", {}, element("a", { href: "openapi.json" }, "openapi.json"))];
  for (const tag of api.tags) {
    views.push(element("h2", {}, tag.name), element("p", { class: "dim" }, tag.description || ""));
    for (const [path, operations] of Object.entries(api.paths))
      for (const [method, operation] of Object.entries(operations))
        if (operation.tags.includes(tag.name)) views.push(operationView(path, method, operation));
  }
  document.getElementById("api").replaceChildren(...views);
  const wanted = location.hash && document.getElementById(location.hash.slice(1));
  if (wanted) wanted.open = true;
}

fetch("openapi.json")
  .then((response) => response.json())
  .then((document_) => {
    api = document_;
    render();
  })
  .catch((error) => {
    document.getElementById("api").textContent = `openapi.json cannot be read: ${error.message}`;
  });
