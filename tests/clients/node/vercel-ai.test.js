// Vercel's AI SDK, with its clients for OpenAI, Anthropic and Google, over a provider of every dialect.

import assert from "node:assert/strict";
import { test } from "node:test";

import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";

import { providers, proxy } from "./stack.js";

const question = "Tell me about tides.";
const get_tide = tool({
  description: "High or low water.",
  inputSchema: jsonSchema({ type: "object", properties: { port: { type: "string" } }, required: ["port"] }),
  execute: async ({ port }) => `High water in ${port} at noon.`,
});

const clients = {
  chat: (origin) => createOpenAI({ apiKey: "none", baseURL: `${origin}/v1` }).chat("model-1"),
  responses: (origin) => createOpenAI({ apiKey: "none", baseURL: `${origin}/v1` }).responses("model-1"),
  messages: (origin) => createAnthropic({ apiKey: "none", baseURL: `${origin}/v1` })("model-1"),
  gemini: (origin) => createGoogleGenerativeAI({ apiKey: "none", baseURL: `${origin}/v1beta` })("model-1"),
};

const common = (model) => ({ model, maxRetries: 0, maxOutputTokens: 300, abortSignal: AbortSignal.timeout(20_000) });

/** What went on while text was streamed; an error of the stream is thrown. */
async function streamed(options) {
  let failure;
  const result = streamText({ ...options, onError: ({ error }) => (failure = error) });
  await result.consumeStream();
  if (failure) throw failure;
  return { text: await result.text, steps: await result.steps, usage: await result.totalUsage };
}

for (const [client, connect] of Object.entries(clients)) {
  for (const provider of providers) {
    const pair = `${client} to ${provider}`;
    const model = connect(`${proxy}/to/${provider}`);

    test(`${pair}: a streamed answer is the whole one in pieces, with its usage`, async () => {
      const whole = await generateText({ ...common(model), prompt: question });
      const pieces = await streamed({ ...common(model), prompt: question });

      assert.ok(whole.text.includes(question));
      assert.equal(whole.finishReason, "stop");
      assert.equal(pieces.text, whole.text);
      assert.ok(pieces.usage.outputTokens > 0);
      assert.equal(pieces.usage.outputTokens, whole.usage.outputTokens);
    });

    for (const [way, run] of Object.entries({ generateText, streamText: streamed })) {
      test(`${pair}: ${way} calls a tool and goes on with its result`, async () => {
        const { steps } = await run({
          ...common(model),
          prompt: "Please call get_tide for Dover.",
          tools: { get_tide },
          stopWhen: stepCountIs(2),
        });

        const [call] = steps[0].toolCalls;
        assert.deepEqual([call.toolName, call.input], ["get_tide", { port: "example" }]);
        assert.ok(steps[1].text);
      });
    }
  }
}
