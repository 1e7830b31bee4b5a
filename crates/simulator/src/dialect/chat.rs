//! OpenAI Chat Completions.
//!
//! With `stream_options.include_usage` every chunk has `"usage":null` and one more comes before `[DONE]` with no
//! choices and the usage; without it, no chunk has the field. That is OpenAI's grammar to the letter.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::wire::{content_text, data_event, put_json, to_json};
use super::{Queue, Refusal, StreamWriter, Turn};
use crate::answer::{Answer, Block, Call, Choice, Moment, Prompt, Step, Tool, ToolChoice, prompt_tokens};

const FINGERPRINT: &str = "fp_tidegate_simulator";
const MOST_CHOICES: u32 = 128;

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    model: Option<Cow<'a, str>>,
    #[serde(borrow)]
    messages: Option<Vec<Message<'a>>>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<u32>,
    max_completion_tokens: Option<u32>,
    n: Option<u32>,
    tools: Option<Vec<ToolDefinition>>,
    tool_choice: Option<Value>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Cow<'a, str>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

#[derive(Deserialize)]
struct ToolDefinition {
    function: Option<Function>,
}

#[derive(Deserialize)]
struct Function {
    name: String,
    #[serde(default)]
    parameters: Value,
}

pub(super) fn read(body: &[u8]) -> Result<Prompt, Refusal> {
    let request: Request<'_> = serde_json::from_slice(body).map_err(|error| Refusal::unreadable(&error))?;
    let model = request.model.ok_or_else(|| Refusal::bad("you must provide a model parameter"))?;
    let messages = request.messages.ok_or_else(|| Refusal::missing("messages"))?;
    if messages.is_empty() {
        return Err(Refusal::bad("Invalid 'messages': empty array. Expected an array with minimum length 1."));
    }
    let mut texts: Vec<String> = messages.iter().map(|message| content_text(message.content)).collect();
    let tokens = prompt_tokens(texts.iter().map(String::as_str));
    let last_user = messages.iter().rposition(|message| message.role == "user");
    let tools = request.tools.unwrap_or_default().into_iter().filter_map(|tool| tool.function);
    Ok(Prompt {
        model: model.into_owned(),
        stream: request.stream.unwrap_or(false),
        include_usage: request.stream_options.and_then(|options| options.include_usage).unwrap_or(false),
        said: last_user.map(|index| std::mem::take(&mut texts[index])).unwrap_or_default(),
        ends_with_tool_result: messages.last().is_some_and(|message| message.role == "tool"),
        tokens,
        limit: request.max_completion_tokens.or(request.max_tokens),
        choices: request.n.unwrap_or(1).clamp(1, MOST_CHOICES),
        tools: tools.map(|tool| Tool { name: tool.name, parameters: tool.parameters }).collect(),
        tool_choice: tool_choice(request.tool_choice.as_ref()),
    })
}

/// Chat nests the name in `function`, Responses does not.
pub(super) fn tool_choice(choice: Option<&Value>) -> ToolChoice {
    match choice {
        None | Some(Value::Null) => ToolChoice::Auto,
        Some(Value::String(word)) if word == "none" => ToolChoice::Never,
        Some(Value::String(word)) if word == "required" => ToolChoice::Required,
        Some(choice) => match choice["function"]["name"].as_str().or_else(|| choice["name"].as_str()) {
            Some(name) => ToolChoice::Named(name.to_owned()),
            None => ToolChoice::Auto,
        },
    }
}

/// `chat.completion`. Typed, unlike the rarer answers, because benchmarks ask for it more than for anything else.
#[derive(Serialize)]
struct Completion<'a> {
    id: String,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: Vec<CompletionChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
    service_tier: &'static str,
    system_fingerprint: &'static str,
}

#[derive(Serialize)]
struct CompletionChoice<'a> {
    index: usize,
    message: CompletionMessage<'a>,
    logprobs: Option<()>,
    finish_reason: &'a str,
}

#[derive(Serialize)]
struct CompletionMessage<'a> {
    role: &'static str,
    content: Option<&'a str>,
    refusal: Option<()>,
    annotations: [(); 0],
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Value>,
}

#[derive(Serialize)]
struct Usage {
    prompt_tokens: u32,
    completion_tokens: u32,
    total_tokens: u32,
    prompt_tokens_details: PromptDetails,
    completion_tokens_details: CompletionDetails,
}

#[derive(Serialize)]
struct PromptDetails {
    cached_tokens: u32,
    audio_tokens: u32,
}

#[derive(Serialize)]
struct CompletionDetails {
    reasoning_tokens: u32,
    audio_tokens: u32,
    accepted_prediction_tokens: u32,
    rejected_prediction_tokens: u32,
}

pub(super) fn whole(turn: &Turn) -> Bytes {
    to_json(&Completion {
        id: turn.id("chatcmpl-"),
        object: "chat.completion",
        created: turn.unix_seconds,
        model: &turn.prompt.model,
        choices: turn
            .answer
            .choices
            .iter()
            .enumerate()
            .map(|(index, choice)| whole_choice(turn, index, choice))
            .collect(),
        usage: turn.tells_usage.then(|| usage(&turn.answer)),
        service_tier: "default",
        system_fingerprint: FINGERPRINT,
    })
}

fn whole_choice<'a>(turn: &'a Turn, index: usize, choice: &'a Choice) -> CompletionChoice<'a> {
    let has_text = choice.text.tokens() > 0 || choice.calls.is_empty();
    let call = |(number, call): (usize, &Call)| {
        let function = json!({"name": call.name, "arguments": call.arguments.as_str()});
        json!({"id": turn.call_id("call_", index, number), "type": "function", "function": function})
    };
    let message = CompletionMessage {
        role: "assistant",
        content: has_text.then(|| choice.text.as_str()),
        refusal: None,
        annotations: [],
        reasoning_content: turn.answer.shows_reasoning.then(|| turn.answer.reasoning.as_str()),
        tool_calls: choice.calls.iter().enumerate().map(call).collect(),
    };
    CompletionChoice { index, message, logprobs: None, finish_reason: finish(choice) }
}

fn finish(choice: &Choice) -> &str {
    choice.finish.word("stop", "length", "tool_calls")
}

fn usage(answer: &Answer) -> Usage {
    Usage {
        prompt_tokens: answer.prompt_tokens,
        completion_tokens: answer.completion_tokens(),
        total_tokens: answer.total_tokens(),
        prompt_tokens_details: PromptDetails { cached_tokens: answer.cached_tokens, audio_tokens: 0 },
        completion_tokens_details: CompletionDetails {
            reasoning_tokens: answer.reasoning.tokens(),
            audio_tokens: 0,
            accepted_prediction_tokens: 0,
            rejected_prediction_tokens: 0,
        },
    }
}

pub(super) fn error_event() -> Bytes {
    let error =
        Refusal::new(http::StatusCode::INTERNAL_SERVER_ERROR, "The server had an error while processing your request.");
    data_event(&error.openai()).into()
}

/// Writes chunks around a start that is the same for all of them.
pub(super) struct Writer {
    turn: Turn,
    /// Up to and including `"choices":[`.
    start: Vec<u8>,
    /// From the `]` after the choices.
    end: &'static [u8],
}

impl Writer {
    pub fn new(turn: Turn) -> Self {
        let mut start = Vec::with_capacity(256);
        start.extend_from_slice(b"data: {\"id\":");
        put_json(&mut start, &turn.id("chatcmpl-"));
        start.extend_from_slice(b",\"object\":\"chat.completion.chunk\",\"created\":");
        put_json(&mut start, &turn.unix_seconds);
        start.extend_from_slice(b",\"model\":");
        put_json(&mut start, &turn.prompt.model);
        start.extend_from_slice(b",\"service_tier\":\"default\",\"system_fingerprint\":\"");
        start.extend_from_slice(FINGERPRINT.as_bytes());
        start.extend_from_slice(b"\",\"choices\":[");
        let tells = turn.tells_usage && turn.prompt.include_usage;
        let end: &[u8] = if tells { b"],\"usage\":null}\n\n" } else { b"]}\n\n" };
        Self { turn, start, end }
    }

    fn chunk(&self, choice: usize, finish: Option<&str>, delta: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.start.len() + 160);
        out.extend_from_slice(&self.start);
        out.extend_from_slice(b"{\"index\":");
        out.extend_from_slice(itoa::Buffer::new().format(choice).as_bytes());
        out.extend_from_slice(b",\"delta\":");
        delta(&mut out);
        out.extend_from_slice(b",\"logprobs\":null,\"finish_reason\":");
        put_json(&mut out, &finish);
        out.push(b'}');
        out.extend_from_slice(self.end);
        out
    }

    fn text_chunk(&self, choice: usize, field: &str, piece: &str) -> Vec<u8> {
        self.chunk(choice, None, |out| {
            out.extend_from_slice(b"{\"");
            out.extend_from_slice(field.as_bytes());
            out.extend_from_slice(b"\":");
            put_json(out, piece);
            out.push(b'}');
        })
    }

    fn value_chunk(&self, choice: usize, delta: &Value) -> Vec<u8> {
        self.chunk(choice, None, |out| put_json(out, delta))
    }

    fn call_head(&self, choice: usize, index: usize) -> Value {
        let function = json!({"name": self.turn.answer.choices[choice].calls[index].name, "arguments": ""});
        let id = self.turn.call_id("call_", choice, index);
        json!({"tool_calls": [{"index": index, "id": id, "type": "function", "function": function}]})
    }
}

impl StreamWriter for Writer {
    fn open(&mut self, out: &mut Queue) {
        for (index, choice) in self.turn.answer.choices.iter().enumerate() {
            let content = if choice.calls.is_empty() { Value::from("") } else { Value::Null };
            out.frame(self.value_chunk(index, &json!({"role": "assistant", "content": content, "refusal": null})));
        }
    }

    fn step(&mut self, step: &Step, out: &mut Queue) {
        let answer = &self.turn.answer;
        match (step.block, step.moment) {
            (Block::Text, Moment::Piece(index)) => {
                out.token(self.text_chunk(step.choice, "content", answer.piece(step, index)))
            }
            (Block::Reasoning, Moment::Piece(index)) if answer.shows_reasoning => {
                out.token(self.text_chunk(step.choice, "reasoning_content", answer.piece(step, index)));
            }
            (Block::Call(call), Moment::Begin) => {
                out.token(self.value_chunk(step.choice, &self.call_head(step.choice, call)))
            }
            (Block::Call(call), Moment::Piece(index)) => {
                let function = json!({"arguments": answer.piece(step, index)});
                out.token(
                    self.value_chunk(step.choice, &json!({"tool_calls": [{"index": call, "function": function}]})),
                );
            }
            (Block::Text | Block::Reasoning, Moment::Begin | Moment::Piece(_)) | (_, Moment::End) => (),
        }
    }

    fn close(&mut self, out: &mut Queue) {
        for (index, choice) in self.turn.answer.choices.iter().enumerate() {
            out.frame(self.chunk(index, Some(finish(choice)), |out| out.extend_from_slice(b"{}")));
        }
        if self.turn.tells_usage && self.turn.prompt.include_usage {
            let mut last = self.start.clone();
            last.extend_from_slice(b"],\"usage\":");
            put_json(&mut last, &usage(&self.turn.answer));
            last.extend_from_slice(b"}\n\n");
            out.frame(last);
        }
        out.terminator(&b"data: [DONE]\n\n"[..]);
    }
}
