// OpenAI's Node SDK: chat, streams, tools, embeddings, Responses, and its exceptions.

import assert from "node:assert/strict";
import { test } from "node:test";

import OpenAI from "openai";

import { connect, lastRequest, waitUntil } from "./stack.js";

const chat = { model: "gpt-4o-mini", messages: [{ role: "user", content: "Tell me about tides." }] };
const weather = {
  type: "function",
  function: {
    name: "get_weather",
    parameters: { type: "object", properties: { city: { type: "string", enum: ["Kiel"] } }, required: ["city"] },
  },
};

async function collect(stream) {
  const items = [];
  for await (const item of stream) items.push(item);
  return items;
}

const textOf = (chunks) => chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");

test("a chat is answered with text and usage", async () => {
  const completion = await connect().chat.completions.create(chat);

  assert.match(completion.choices[0].message.content, /Tell me about tides\./);
  assert.equal(completion.choices[0].finish_reason, "stop");
  assert.ok(completion.usage.total_tokens > 0);
});

test("a streamed answer is the whole answer in pieces", async () => {
  const whole = await connect().chat.completions.create(chat);
  const chunks = await collect(await connect().chat.completions.create({ ...chat, stream: true }));

  assert.equal(textOf(chunks), whole.choices[0].message.content);
  assert.ok(chunks.every((chunk) => chunk.usage == null && chunk.choices.length === 1));
});

test("events arrive while the provider has more to say", async () => {
  const stream = await connect("tokens=10,hang=4").chat.completions.create({ ...chat, stream: true });
  let count = 0;
  for await (const _ of stream) {
    if (++count === 4) break;
  }

  assert.equal(count, 4);
});

test("usage comes last when asked for", async () => {
  const wish = { ...chat, stream: true, stream_options: { include_usage: true } };
  const chunks = await collect(await connect("tokens=12").chat.completions.create(wish));

  assert.deepEqual(chunks.at(-1).choices, []);
  assert.equal(chunks.at(-1).usage.completion_tokens, 12);
});

test("a forced tool is called with arguments of its schema", async () => {
  const completion = await connect().chat.completions.create({ ...chat, tools: [weather], tool_choice: "required" });
  const [call] = completion.choices[0].message.tool_calls;

  assert.equal(call.function.name, "get_weather");
  assert.deepEqual(JSON.parse(call.function.arguments), { city: "Kiel" });
});

test("the SDK's helper assembles a streamed tool call", async () => {
  const stream = connect().chat.completions.stream({ ...chat, tools: [weather], tool_choice: "required" });
  const [call] = (await stream.finalChatCompletion()).choices[0].message.tool_calls;

  assert.deepEqual(JSON.parse(call.function.arguments), { city: "Kiel" });
});

test("embeddings are decoded", async () => {
  const created = await connect().embeddings.create({
    model: "text-embedding-3-small",
    input: ["ebb", "flow"],
    dimensions: 64,
  });

  assert.deepEqual(created.data.map((item) => item.embedding.length), [64, 64]);
});

test("a response has text, streamed and whole", async () => {
  const wish = { model: "gpt-4o", input: "Tell me about tides." };
  const whole = await connect().responses.create(wish);
  const events = await collect(await connect().responses.create({ ...wish, stream: true }));

  assert.match(whole.output_text, /Tell me about tides\./);
  assert.equal(events.at(-1).type, "response.completed");
  const deltas = events.filter((event) => event.type === "response.output_text.delta");
  assert.equal(deltas.map((event) => event.delta).join(""), whole.output_text);
});

test("raw responses show the headers of the gateway", async () => {
  const { data, response, request_id } = await connect().chat.completions.create(chat).withResponse();

  assert.equal(response.status, 200);
  assert.ok(request_id);
  assert.equal(data._request_id, response.headers.get("x-request-id"));
});

for (const [status, exception] of [
  [400, OpenAI.BadRequestError],
  [401, OpenAI.AuthenticationError],
  [403, OpenAI.PermissionDeniedError],
  [404, OpenAI.NotFoundError],
  [422, OpenAI.UnprocessableEntityError],
  [429, OpenAI.RateLimitError],
  [500, OpenAI.InternalServerError],
  [503, OpenAI.InternalServerError],
]) {
  test(`a provider's ${status} raises ${exception.name} in the provider's words`, async () => {
    const client = connect(`status=${status},error-code=scripted,error-message=The tide is out.`);

    await assert.rejects(client.chat.completions.create(chat), (error) => {
      assert.ok(error instanceof exception, String(error));
      assert.deepEqual([error.status, error.code], [status, "scripted"]);
      assert.match(error.message, /The tide is out\./);
      return true;
    });
  });
}

test("a provider's rate limit says when to come back", async () => {
  await assert.rejects(connect("status=429,retry-after=17").chat.completions.create(chat), (error) => {
    assert.equal(error.headers.get("retry-after"), "17");
    return error instanceof OpenAI.RateLimitError;
  });
});

test("the gateway's limit raises a rate limit error", async () => {
  const client = connect(undefined, { prefix: "/limited" });
  await client.chat.completions.create(chat);
  await client.chat.completions.create(chat);

  await assert.rejects(client.chat.completions.create(chat), OpenAI.RateLimitError);
});

test("a key that is nobody's raises an authentication error", async () => {
  await assert.rejects(
    connect(undefined, { apiKey: "sk-nobody-s" }).chat.completions.create(chat),
    OpenAI.AuthenticationError,
  );
});

test("a path without a route raises not found", async () => {
  await assert.rejects(connect(undefined, { prefix: "/nowhere" }).chat.completions.create(chat), OpenAI.NotFoundError);
});

for (const fault of ["cut=4", "cut=4,reset", "error-event=4"]) {
  test(`a stream that ends too early (${fault}) raises`, async () => {
    const stream = await connect(`tokens=10,${fault}`).chat.completions.create({ ...chat, stream: true });

    await assert.rejects(collect(stream), OpenAI.APIError);
  });
}

test("a response stream that ends too early raises", async () => {
  const wish = { model: "gpt-4o", input: "Tides?", stream: true };

  await assert.rejects(collect(await connect("tokens=10,cut=6").responses.create(wish)), OpenAI.APIError);
});

test("a client that leaves a stream ends the provider's call", async () => {
  const stream = await connect("tokens=100000,tps=50").chat.completions.create({ ...chat, stream: true });
  for await (const _ of stream) break;

  await waitUntil(async () => (await lastRequest()).end === "aborted", "the provider's call has ended", 2_000);
});

test("many calls at once each get their own answer", async () => {
  const client = connect();
  const ask = async (number) => {
    const content = `question ${number}.`;
    const answer = await client.chat.completions.create({ ...chat, messages: [{ role: "user", content }] });
    return answer.choices[0].message.content.includes(content);
  };

  const answers = await Promise.all(Array.from({ length: 100 }, (_, number) => ask(number)));
  assert.ok(answers.every(Boolean));
});
