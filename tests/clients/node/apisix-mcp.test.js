// apisix-mcp, unmodified, as an MCP client's user would run it: over stdio, told of the gateway by its environment.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";

import { admin, adminKey, proxy, simulator } from "./stack.js";

const program = join(dirname(createRequire(import.meta.url).resolve("apisix-mcp")), "index.js");
const provider = new URL(simulator);
const nodes = [{ host: provider.hostname, port: Number(provider.port), weight: 1 }];
const client = new Client({ name: "tidegate-clients", version: "1.0.0" });

before(async () => {
  const env = {
    PATH: process.env.PATH,
    APISIX_SERVER_HOST: `${admin.protocol}//${admin.hostname}`,
    APISIX_SERVER_PORT: new URL(proxy).port,
    APISIX_ADMIN_API_PORT: admin.port,
    APISIX_ADMIN_KEY: adminKey,
  };
  await client.connect(new StdioClientTransport({ command: process.execPath, args: [program], env, stderr: "ignore" }));
});

after(() => client.close());

/** Calls a tool that is to succeed, and returns what the Admin API answered. */
async function call(name, args = {}) {
  const { content, isError } = await client.callTool({ name, arguments: args });
  assert.ok(!isError, `${name}: ${content[0].text}`);
  return JSON.parse(content[0].text);
}

/** Calls a tool that is to fail, and returns status and body of the Admin API's answer. */
async function refused(name, args) {
  const { content, isError } = await client.callTool({ name, arguments: args });
  assert.ok(isError, `${name} succeeded: ${content[0].text}`);
  const [, status, body] = /^Status: (\d+)\n.*\nData:\n(.*)$/s.exec(JSON.parse(content[0].text));
  return { status: Number(status), body: JSON.parse(body) };
}

const remove = (type, id) => call("delete_resource", { type, id });
const get = (type, id) => call("get_resource", { type, id });

test("a route is created, read, listed, changed and deleted", async () => {
  const route = { uri: "/mcp/echo", name: "mcp-echo", upstream: { type: "roundrobin", nodes } };
  const created = await call("create_route", { id: "mcp", route });
  assert.equal(created.key, "/apisix/routes/mcp");
  assert.equal(created.value.uri, "/mcp/echo");

  assert.deepEqual((await get("routes", "mcp")).value.upstream.nodes, nodes);
  const listed = await call("get_resource", { type: "routes", name: "mcp-echo" });
  assert.deepEqual([listed.total, listed.list.length, listed.list[0].value.id], [1, 1, "mcp"]);

  const changed = await call("update_route", { id: "mcp", route: { uri: "/mcp/echo", desc: "changed" } });
  assert.deepEqual([changed.value.desc, changed.value.name], ["changed", "mcp-echo"]);

  assert.equal((await remove("routes", "mcp")).deleted, "1");
  assert.equal((await refused("get_resource", { type: "routes", id: "mcp" })).status, 404);
});

test("a route without an id gets one", async () => {
  const created = await call("create_route", { route: { uri: "/mcp/posted", upstream: { nodes } } });

  assert.match(created.value.id, /^\d{20}$/);
  await remove("routes", created.value.id);
});

test("a route serves through the gateway that the tool asks", async () => {
  const plugins = { mocking: { response_status: 200, response_example: '{"tide":"high"}' } };
  await call("create_route", { id: "mcp-mock", route: { uri: "/mcp/mock", plugins, upstream: { nodes } } });
  const ask = { requests: [{ path: "/mcp/mock", method: "GET", repeatCount: 3 }] };

  const { summary, results } = await call("send_request_to_gateway", ask);
  assert.deepEqual(summary, { total: 3, successful: 3, failed: 0 });
  assert.deepEqual(results[0].data, { tide: "high" });
  await remove("routes", "mcp-mock");
});

test("an upstream and its service go together", async () => {
  await call("create_upstream", { id: "mcp", upstream: { name: "mcp", nodes, pass_host: "node" } });
  await call("create_service", { id: "mcp", service: { name: "mcp", upstream_id: "mcp", hosts: ["mcp.test"] } });

  const inUse = await refused("delete_resource", { type: "upstreams", id: "mcp" });
  assert.equal(inUse.status, 400);
  assert.equal(inUse.body.error_msg, "can not delete this upstream, service [mcp] is still using it now");

  const changed = await call("update_upstream", { id: "mcp", upstream: { nodes, retries: 2 } });
  assert.equal(changed.value.retries, 2);
  await call("update_service", { id: "mcp", service: { desc: "changed" } });
  assert.equal((await get("services", "mcp")).value.desc, "changed");

  await remove("services", "mcp");
  await remove("upstreams", "mcp");
});

test("consumers and their credentials are written, read and deleted", async () => {
  await call("create_or_update_consumer", { username: "mcp", plugins: { "key-auth": { key: "mcp-key" } } });
  assert.equal((await get("consumers", "mcp")).value.plugins["key-auth"].key, "mcp-key");

  // The tool wraps the credential in a body that APISIX refuses as well.
  const credential = { name: "second", plugins: { "key-auth": { key: "mcp-second" } } };
  const nested = await refused("create_or_update_credential", { username: "mcp", id: "second", credential });
  assert.equal(nested.status, 400);

  const body = JSON.stringify({ plugins: credential.plugins });
  const url = new URL("/apisix/admin/consumers/mcp/credentials/second", admin);
  assert.equal((await fetch(url, { method: "PUT", headers: { "X-API-KEY": adminKey }, body })).status, 201);
  assert.equal((await call("get_credential", { username: "mcp" })).total, 1);
  assert.equal((await call("get_credential", { username: "mcp", id: "second" })).value.id, "second");
  assert.equal((await call("delete_credential", { username: "mcp", id: "second" })).deleted, "1");
  await remove("consumers", "mcp");
});

test("consumer groups and global rules are written by id", async () => {
  const plugins = { "request-id": { header_name: "X-Mcp-Request-Id" } };
  await call("create_consumer_group", { id: "mcp", consumerGroup: { plugins } });
  await call("create_global_rule", { id: "mcp", plugins });
  const other = { "request-id": { header_name: "X-Other" } };
  const changed = await call("update_global_rule", { id: "mcp", plugins: other });

  assert.equal(changed.value.plugins["request-id"].header_name, "X-Other");
  assert.equal((await refused("create_consumer_group", { consumerGroup: { plugins } })).status, 405);
  await remove("global_rules", "mcp");
  await remove("consumer_groups", "mcp");
});

test("plugins are named, and their schemas shown", async () => {
  const names = await call("get_all_plugin_names");
  assert.ok(["ai-proxy", "key-auth", "limit-count"].every((name) => names.includes(name)));

  const schema = await call("get_plugin_schema", { name: "limit-count" });
  assert.ok(["count", "time_window", "_meta"].every((property) => property in schema.properties));
  assert.equal((await refused("get_plugin_schema", { name: "no-such-plugin" })).status, 404);
});

test("plugin metadata is written, read and deleted", async () => {
  const metadata = { log_format: { host: "$host" } };
  await call("create_or_update_plugin_metadata", { name: "http-logger", metadata });

  assert.deepEqual((await call("get_plugin_metadata", { name: "http-logger" })).value.log_format, metadata.log_format);
  await call("delete_plugin_metadata", { name: "http-logger" });
  assert.equal((await refused("get_plugin_metadata", { name: "http-logger" })).status, 404);
});

test("secrets are written, read and deleted", async () => {
  const secret = { type: "vault", uri: "http://127.0.0.1:8200", prefix: "kv/tides", token: "t" };
  assert.equal((await call("create_secret", { manager: "vault", id: "mcp", secret })).key, "/apisix/secrets/vault/mcp");

  assert.equal((await call("get_secret_by_id", { manager: "vault", id: "mcp" })).value.prefix, "kv/tides");
  assert.equal((await call("get_secret_by_id", { manager: "vault" })).total, 1);
  assert.equal((await refused("create_secret", { manager: "vault", secret })).status, 405);
  await call("delete_secret", { manager: "vault", id: "mcp" });
  assert.equal((await refused("get_secret_by_id", { manager: "vault", id: "mcp" })).status, 404);
});

test("what APISIX refuses to this client is refused here too", async () => {
  const streams = await refused("get_resource", { type: "stream_routes" });
  assert.equal(streams.status, 400);
  assert.equal(streams.body.error_msg, "stream mode is disabled, can not add stream routes");

  const nested = { desc: "d", labels: { a: "b" }, plugins: { cors: {} } };
  assert.equal((await refused("create_plugin_config", { id: "mcp", plugins: nested })).status, 400);
});

test("every type of resource that the tool knows can be listed", async () => {
  const types = "routes services upstreams consumers ssls consumer_groups plugin_configs global_rules protos";
  for (const type of types.split(" ")) {
    const { list, total } = await call("get_resource", { type });
    assert.equal(list.length, total, type);
  }
});

test("a refused configuration is refused in words", async () => {
  const plugins = { "limit-count": { count: -1, time_window: 60 } };
  const route = { uri: "/x", plugins, upstream: { nodes } };
  const { status, body } = await refused("create_route", { id: "bad", route });

  assert.equal(status, 400);
  assert.match(body.error_msg, /^failed to check the configuration of plugin limit-count err: property "count"/);
});
