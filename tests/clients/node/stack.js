// The running stack, as `python3 -m stack -- …` describes it in the environment, and clients for it.

import { setTimeout as pause } from "node:timers/promises";

import OpenAI from "openai";

function given(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run this through \`python3 -m stack -- node --test\``);
  return value;
}

export const proxy = given("TIDEGATE_PROXY");
export const admin = new URL(given("TIDEGATE_ADMIN"));
export const adminKey = given("TIDEGATE_ADMIN_KEY");
export const clientKey = given("TIDEGATE_CLIENT_KEY");
export const simulator = given("TIDEGATE_SIMULATOR");

/** One provider of each dialect, each at `{proxy}/to/{provider}`. */
export const providers = given("TIDEGATE_DIALECT_PROVIDERS").split(",");

/** An OpenAI client whose requests tell the provider to behave as `simulate` says. */
export function connect(simulate, { prefix = "/openai", ...options } = {}) {
  return new OpenAI({
    apiKey: clientKey,
    baseURL: `${proxy}${prefix}/v1`,
    maxRetries: 0,
    timeout: 20_000,
    defaultHeaders: simulate ? { "x-simulate": simulate } : {},
    ...options,
  });
}

/** The provider's view of the last request. */
export async function lastRequest() {
  const { requests } = await (await fetch(`${simulator}/__simulator/requests`)).json();
  return requests.at(-1);
}

/** Asks until the answer is truthy, and fails after `limit` milliseconds. */
export async function waitUntil(condition, what, limit = 5_000) {
  const deadline = Date.now() + limit;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited ${limit} ms in vain until ${what}`);
    await pause(10);
  }
}
