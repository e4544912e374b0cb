// Calls the unmodified official client. One JSON request a line on stdin, one JSON answer a line on stdout:
//   {"id", "call": "runs.retrieve", "args": [...], "as": {"key", "url"}, "take": <most items of an async iterable>,
//    "until": {"status": "COMPLETED"}: fields of the item behind which iteration ends}
//   -> {"id", "ok": <result>} or {"id", "error": {"name", "status", "code", "message", "body"}}
// {"$date": iso}, {"$undefined": true}, {"$bigint": digits}, {"$set": [...]}, {"$map": [[k, v]]}, {"$big": bytes} in arguments
// are those values, and come back in the same form.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import * as sdk from "@trigger.dev/sdk";
import { apiClientManager, ApiClient } from "@trigger.dev/core/v3";

const made = {};
const roots = { ...sdk, made };

function revive(value) {
  if (Array.isArray(value)) return value.map(revive);
  if (value === null || typeof value !== "object") return value;
  if ("$date" in value) return new Date(value.$date);
  if ("$undefined" in value) return undefined;
  if ("$bigint" in value) return BigInt(value.$bigint);
  if ("$set" in value) return new Set(revive(value.$set));
  if ("$map" in value) return new Map(revive(value.$map));
  if ("$big" in value) return "x".repeat(value.$big);
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, revive(each)]));
}

function plain(value, depth = 0) {
  if (value === undefined) return { $undefined: true };
  if (typeof value === "bigint") return { $bigint: value.toString() };
  if (typeof value === "function" || typeof value === "symbol") return { $other: typeof value };
  if (value === null || typeof value !== "object" || depth > 30) return value;
  if (value instanceof Date) return { $date: value.toISOString() };
  if (value instanceof Error) return { name: value.name, message: value.message };
  if (value instanceof Set) return { $set: [...value].map((each) => plain(each, depth + 1)) };
  if (value instanceof Map) return { $map: [...value].map((each) => plain(each, depth + 1)) };
  if (Array.isArray(value)) return value.map((each) => plain(each, depth + 1));
  return Object.fromEntries(
    Object.entries(value).filter(([, each]) => each !== undefined).map(([key, each]) => [key, plain(each, depth + 1)]),
  );
}

function refused(error) {
  const { name, message, status, code, body, phase, isRateLimited, cause } = error ?? {};
  const told = { name, message, status, code, body, phase, isRateLimited };
  if (cause) told.cause = refused(cause);
  return plain(told);
}

function isLast(item, until) {
  return until !== undefined && Object.entries(until).every(([key, wanted]) => item?.[key] === wanted);
}

async function collect(iterable, { take = Infinity, until }) {
  const items = [];
  const iterator = iterable[Symbol.asyncIterator]();
  try {
    while (items.length < take) {
      const { done, value } = await iterator.next();
      if (done) break;
      items.push(plain(value));
      if (isLast(value, until)) break;
    }
  } finally {
    // a subscription is closed in the background: some never answer `return`
    Promise.resolve(iterator.return?.()).catch(() => {});
    iterable.unsubscribe?.();
  }
  return items;
}

async function page(request, first) {
  let current = first;
  for (const step of request.pages ?? []) current = await current[step]();
  return { data: plain(current.data), pagination: plain(current.pagination) };
}

async function call(request) {
  const args = revive(request.args ?? []);
  if (request.call.startsWith("client.")) {
    const client = new ApiClient(request.as.url, request.as.key);
    const answer = await client[request.call.slice("client.".length)](...args);
    return plain(answer);
  }
  const path = request.call.split(".");
  const name = path.pop();
  const owner = path.reduce((value, part) => value[part], roots);
  const result = owner[name](...args);
  const value = result?.[Symbol.asyncIterator] && !result.then ? result : await result;
  if (request.pages) return page(request, value);
  if (request.asyncMember) return collect(value[request.asyncMember](...revive(request.memberArgs ?? [])), request);
  if (value?.[Symbol.asyncIterator] && (request.take || request.until || request.all)) return collect(value, request);
  if (request.member) return plain(await value[request.member](...revive(request.memberArgs ?? [])));
  if (value?.data && value?.pagination) return { data: plain(value.data), pagination: plain(value.pagination) };
  return plain(value);
}

async function answer(request) {
  const { key, url } = request.as;
  try {
    const ok = await sdk.auth.withAuth({ accessToken: key, baseURL: url }, () => call(request));
    return { id: request.id, ok: ok === undefined ? { $undefined: true } : ok };
  } catch (error) {
    return { id: request.id, error: refused(error) };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  answer(request).then((told) => process.stdout.write(JSON.stringify(told) + "\n"));
}
