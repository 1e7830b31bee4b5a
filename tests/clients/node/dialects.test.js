// Official Node SDKs of three houses over a provider of every dialect: text, streams, and a tool with the turn after.

import assert from "node:assert/strict";
import { test } from "node:test";

import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import OpenAI from "openai";

import { providers, proxy } from "./stack.js";

const model = "model-1";
const question = "Tell me about tides.";
const name = "get_tide";
const description = "High or low water.";
const schema = { type: "object", properties: { port: { type: "string" } }, required: ["port"] };
const limit = 300;
const patience = { maxRetries: 0, timeout: 20_000, apiKey: "none" };

async function collect(stream) {
  const items = [];
  for await (const item of stream) items.push(item);
  return items;
}

/** What every SDK tells of an answer; `turns` is what goes into the conversation of it. */
const told = (text, calls, turns) => ({ text, calls, turns });

/** OpenAI's SDK, Chat Completions. */
function chat(origin) {
  const client = new OpenAI({ baseURL: `${origin}/v1`, ...patience });
  const tools = [{ type: "function", function: { name, description, parameters: schema } }];
  const take = (message) => {
    const calls = message.tool_calls ?? [];
    return told(
      message.content ?? "",
      calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)]),
      [message, ...calls.map((call) => ({ role: "tool", tool_call_id: call.id, content: "High water at noon." }))],
    );
  };
  return {
    user: (content) => ({ role: "user", content }),
    ask: async (messages) => {
      const answer = await client.chat.completions.create({ model, messages, tools });
      return take(answer.choices[0].message);
    },
    stream: async (messages) => take(await client.chat.completions.stream({ model, messages, tools }).finalMessage()),
  };
}

/** OpenAI's SDK, Responses. */
function responses(origin) {
  const client = new OpenAI({ baseURL: `${origin}/v1`, ...patience });
  const tools = [{ type: "function", name, description, parameters: schema, strict: false }];
  const take = (answer) => {
    const calls = answer.output.filter((item) => item.type === "function_call");
    const results = calls.map(({ call_id }) => ({
      type: "function_call_output",
      call_id,
      output: "High water at noon.",
    }));
    return told(
      answer.output_text,
      calls.map((call) => [call.name, JSON.parse(call.arguments)]),
      [...answer.output, ...results],
    );
  };
  return {
    user: (content) => ({ role: "user", content }),
    ask: async (input) => take(await client.responses.create({ model, input, tools })),
    stream: async (input) => take(await client.responses.stream({ model, input, tools }).finalResponse()),
  };
}

/** Anthropic's SDK. */
function messages(origin) {
  const client = new Anthropic({ baseURL: origin, ...patience });
  const options = { model, max_tokens: limit, tools: [{ name, description, input_schema: schema }] };
  const take = ({ content }) => {
    const calls = content.filter((block) => block.type === "tool_use");
    const results = calls.map(({ id }) => ({ type: "tool_result", tool_use_id: id, content: "High water at noon." }));
    return told(
      content.map((block) => block.text ?? "").join(""),
      calls.map((call) => [call.name, call.input]),
      [{ role: "assistant", content }, { role: "user", content: results }],
    );
  };
  return {
    user: (content) => ({ role: "user", content }),
    ask: async (turns) => take(await client.messages.create({ ...options, messages: turns })),
    stream: async (turns) => take(await client.messages.stream({ ...options, messages: turns }).finalMessage()),
  };
}

/** Google's SDK. */
function gemini(origin) {
  const client = new GoogleGenAI({ apiKey: "none", httpOptions: { baseUrl: origin, timeout: 20_000 } });
  const config = { tools: [{ functionDeclarations: [{ name, description, parametersJsonSchema: schema }] }] };
  const take = (chunks) => {
    const parts = chunks.flatMap((chunk) => chunk.candidates?.[0].content?.parts ?? []);
    const calls = parts.flatMap((part) => part.functionCall ?? []);
    const results = calls.map((call) => ({
      functionResponse: { id: call.id, name: call.name, response: { output: "High water at noon." } },
    }));
    return told(
      parts.map((part) => part.text ?? "").join(""),
      calls.map((call) => [call.name, call.args]),
      [{ role: "model", parts }, { role: "user", parts: results }],
    );
  };
  return {
    user: (text) => ({ role: "user", parts: [{ text }] }),
    ask: async (contents) => take([await client.models.generateContent({ model, contents, config })]),
    stream: async (contents) =>
      take(await collect(await client.models.generateContentStream({ model, contents, config }))),
  };
}

for (const connect of [chat, responses, messages, gemini]) {
  for (const provider of providers) {
    const pair = `${connect.name} to ${provider}`;
    const origin = `${proxy}/to/${provider}`;

    test(`${pair}: a streamed answer is the whole one in pieces`, async () => {
      const client = connect(origin);
      const whole = await client.ask([client.user(question)]);
      const streamed = await client.stream([client.user(question)]);

      assert.ok(whole.text.includes(question));
      assert.equal(streamed.text, whole.text);
    });

    for (const way of ["ask", "stream"]) {
      test(`${pair}: a tool is called (${way}) and its result goes back`, async () => {
        const client = connect(origin);
        const asked = client.user("Please call get_tide for Dover.");
        const reply = await client[way]([asked]);
        assert.deepEqual(reply.calls, [[name, { port: "example" }]]);

        const after = await client[way]([asked, ...reply.turns]);
        assert.ok(after.text);
        assert.deepEqual(after.calls, []);
      });
    }
  }
}
