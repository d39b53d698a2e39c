"use strict";

// Renders /openapi.json. Everything from the document enters the page as text.

function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
  for (const child of children.flat()) if (child !== null && child !== undefined) node.append(child);
  return node;
}

function resolve(spec, schema) {
  if (!schema || !schema.$ref) return schema || {};
  return spec.components.schemas[schema.$ref.split("/").pop()] || {};
}

function typeOf(schema) {
  const type = [].concat(schema.type || "any").join(" or ");
  return schema.format ? `${type} (${schema.format})` : type;
}

// example builds a value of the shape that a schema describes.
function example(spec, schema, depth = 0) {
  const s = resolve(spec, schema);
  if (s.examples) return s.examples[0];
  if (s.default !== undefined) return s.default;
  if (s.enum) return s.enum[0];
  const type = [].concat(s.type || "")[0];
  if (depth > 6) return "…";
  if (type === "array") return [example(spec, s.items, depth + 1)];
  if (type === "object" || s.properties) {
    const value = {};
    for (const [name, p] of Object.entries(s.properties || {})) value[name] = example(spec, p, depth + 1);
    if (s.additionalProperties && typeof s.additionalProperties === "object") value["…"] = "…";
    return value;
  }
  if (type === "integer" || type === "number") return s.minimum || 0;
  if (type === "boolean") return false;
  if (s.format === "date-time") return "2026-01-01T00:00:00.000Z";
  return type === "string" ? "string" : null;
}

function limits(schema) {
  const notes = [];
  if (schema.enum) notes.push("one of " + schema.enum.join(", "));
  if (schema.minimum !== undefined) notes.push("≥ " + schema.minimum);
  if (schema.maximum !== undefined) notes.push("≤ " + schema.maximum);
  if (schema.default !== undefined) notes.push("default " + JSON.stringify(schema.default));
  return notes.join("; ");
}

function table(spec, rows) {
  const body = rows.map(([name, where, required, raw, text]) => {
    const schema = resolve(spec, raw);
    return el("tr", null,
      el("td", null, el("code", null, name + (required ? " *" : ""))), el("td", null, where),
      el("td", null, typeOf(schema)), el("td", null, [text || schema.description, limits(schema)].filter(Boolean).join(" — ")));
  });
  return el("table", null, el("tbody", null, body));
}

function section(title, ...content) {
  return [el("h3", null, title), ...content];
}

function json(spec, content) {
  const media = Object.keys(content || {})[0];
  if (!media || !content[media].schema) return null;
  const shown = content[media].example || example(spec, content[media].schema);
  return el("pre", null, JSON.stringify(shown, null, 2));
}

function curl(path, method, operation) {
  const parts = ["curl"];
  if (method !== "GET") parts.push("-X " + method);
  if (operation.security) parts.push('-H "Authorization: Bearer $KEY"');
  if (operation.requestBody) parts.push("-H 'Content-Type: application/json' -d @body.json");
  return el("pre", null, parts.join(" ") + ` '${location.origin}${path}'`);
}

function render(spec, path, method, operation) {
  const parts = [];
  if (operation.description) parts.push(el("p", null, operation.description));
  parts.push(curl(path, method, operation));
  if (operation.parameters) {
    const rows = operation.parameters.map((p) => [p.name, p.in, p.required, p.schema, p.description]);
    parts.push(...section("Parameters", table(spec, rows)));
  }
  if (operation.requestBody) {
    const { schema: body, example: sample } = Object.values(operation.requestBody.content)[0];
    const schema = resolve(spec, body);
    const required = new Set(schema.required || []);
    const rows = Object.entries(schema.properties || {}).map(([name, s]) => [name, "body", required.has(name), s]);
    parts.push(...section("Body", table(spec, rows), sample ? el("pre", null, JSON.stringify(sample, null, 2)) : null));
  }
  for (const [status, response] of Object.entries(operation.responses || {})) {
    const shown = status.startsWith("2") ? json(spec, response.content) : null;
    parts.push(...section(`${status} ${response.description}`, shown));
  }
  const text = `${method} ${path} ${operation.summary || ""}`;
  return el("details", { id: operation.operationId, "data-text": text.toLowerCase() },
    el("summary", null, el("span", { class: "method" }, method), el("span", { class: "path" }, path),
      el("span", { class: "note" }, operation.summary || "")), parts);
}

function show(spec) {
  document.getElementById("title").textContent = `${spec.info.title} ${spec.info.version}`;
  document.getElementById("description").textContent = spec.info.description || "";
  const groups = new Map();
  for (const [path, methods] of Object.entries(spec.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = (operation.tags || ["other"])[0];
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push(render(spec, path, method.toUpperCase(), operation));
    }
  }
  const sections = [...groups].map(([tag, nodes]) => el("section", null, el("h2", null, tag), nodes));
  document.getElementById("operations").replaceChildren(...sections);
  if (location.hash) {
    const target = document.getElementById(location.hash.slice(1));
    if (target) { target.open = true; target.scrollIntoView(); }
  }
}

function filter(event) {
  const wanted = event.target.value.trim().toLowerCase();
  for (const node of document.querySelectorAll("details")) node.hidden = !node.dataset.text.includes(wanted);
  for (const node of document.querySelectorAll("section")) node.hidden = !node.querySelector("details:not([hidden])");
}

document.getElementById("filter").addEventListener("input", filter);
fetch("/openapi.json").then((answer) => answer.json()).then(show).catch((err) => {
  document.getElementById("operations").textContent = "Can't load /openapi.json: " + err.message;
});
