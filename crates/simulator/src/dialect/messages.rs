//! Anthropic Messages.
//!
//! A stream is: `message_start`; for each block `content_block_start`, deltas, `content_block_stop`, with one
//! `ping` after the first start; `message_delta`; `message_stop`. `input_tokens` leaves out what was read from the
//! cache, as Anthropic's does.

use std::borrow::Cow;

use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::wire::{content_text, named_event, put_json, to_json};
use super::{Queue, Refusal, StreamWriter, Turn};
use crate::answer::{Block, Choice, Moment, Prompt, Step, Tool, ToolChoice, prompt_tokens};

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    model: Option<Cow<'a, str>>,
    #[serde(borrow)]
    messages: Option<Vec<Message<'a>>>,
    #[serde(borrow)]
    system: Option<&'a RawValue>,
    max_tokens: Option<u32>,
    stream: Option<bool>,
    tools: Option<Vec<ToolDefinition>>,
    tool_choice: Option<ToolChoiceText>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Cow<'a, str>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ToolDefinition {
    name: String,
    #[serde(default)]
    input_schema: Value,
}

#[derive(Deserialize)]
struct ToolChoiceText {
    r#type: String,
    name: Option<String>,
}

pub(super) fn read(body: &[u8]) -> Result<Prompt, Refusal> {
    let request = parse(body)?;
    if request.max_tokens.is_none() {
        return Err(Refusal::bad("max_tokens: Field required"));
    }
    prompt(request)
}

/// The answer of `…/messages/count_tokens`.
pub(crate) fn count_tokens(body: &[u8]) -> Result<Bytes, Refusal> {
    let prompt = prompt(parse(body)?)?;
    Ok(to_json(&json!({"input_tokens": prompt.tokens})))
}

fn parse(body: &[u8]) -> Result<Request<'_>, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::unreadable(&error))
}

fn prompt(request: Request<'_>) -> Result<Prompt, Refusal> {
    let model = request.model.ok_or_else(|| Refusal::bad("model: Field required"))?;
    let messages = request.messages.ok_or_else(|| Refusal::bad("messages: Field required"))?;
    if messages.is_empty() {
        return Err(Refusal::bad("messages: at least one message is required"));
    }
    let system = request.system.map(|system| content_text(Some(system)));
    let texts: Vec<String> = messages.iter().map(|message| content_text(message.content)).collect();
    let tokens = prompt_tokens(texts.iter().chain(system.as_ref()).map(String::as_str));
    let last_user = messages.iter().rposition(|message| message.role == "user");
    let tool_result =
        |message: &Message<'_>| message.content.is_some_and(|content| content.get().contains("\"tool_result\""));
    let tools = request.tools.unwrap_or_default().into_iter();
    Ok(Prompt {
        model: model.into_owned(),
        stream: request.stream.unwrap_or(false),
        include_usage: true,
        said: last_user.map(|index| texts[index].clone()).unwrap_or_default(),
        ends_with_tool_result: messages.last().is_some_and(tool_result),
        tokens,
        limit: request.max_tokens,
        choices: 1,
        tools: tools.map(|tool| Tool { name: tool.name, parameters: tool.input_schema }).collect(),
        tool_choice: tool_choice(request.tool_choice),
    })
}

fn tool_choice(choice: Option<ToolChoiceText>) -> ToolChoice {
    match choice {
        Some(ToolChoiceText { name: Some(name), .. }) => ToolChoice::Named(name),
        Some(choice) if choice.r#type == "any" => ToolChoice::Required,
        Some(choice) if choice.r#type == "none" => ToolChoice::Never,
        Some(_) | None => ToolChoice::Auto,
    }
}

pub(super) fn whole(turn: &Turn) -> Bytes {
    let choice = &turn.answer.choices[0];
    let blocks = turn.answer.blocks(0);
    let content: Vec<Value> = blocks.iter().map(|&block| whole_block(turn, block)).collect();
    let mut message = message(turn, content, Some(stop_reason(choice)));
    if turn.tells_usage {
        message["usage"] = usage(turn, turn.answer.completion_tokens());
    }
    to_json(&message)
}

fn whole_block(turn: &Turn, block: Block) -> Value {
    let answer = &turn.answer;
    match block {
        Block::Reasoning => {
            json!({"type": "thinking", "thinking": answer.reasoning.as_str(), "signature": signature(turn)})
        }
        Block::Text => json!({"type": "text", "text": answer.choices[0].text.as_str()}),
        Block::Call(index) => {
            let input: Value =
                serde_json::from_str(answer.choices[0].calls[index].arguments.as_str()).unwrap_or_default();
            json!({"type": "tool_use", "id": turn.call_id("toolu_", 0, index), "name": answer.choices[0].calls[index].name, "input": input})
        }
    }
}

fn message(turn: &Turn, content: Vec<Value>, stop_reason: Option<&str>) -> Value {
    json!({
        "id": turn.id("msg_"),
        "type": "message",
        "role": "assistant",
        "model": turn.prompt.model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": null,
    })
}

fn stop_reason(choice: &Choice) -> &str {
    choice.finish.word("end_turn", "max_tokens", "tool_use")
}

fn usage(turn: &Turn, output_tokens: u32) -> Value {
    json!({
        "input_tokens": turn.answer.prompt_tokens - turn.answer.cached_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": turn.answer.cached_tokens,
        "output_tokens": output_tokens,
        "service_tier": "standard",
    })
}

/// Clients must send it back unchanged; nobody but the provider can check it.
fn signature(turn: &Turn) -> String {
    turn.id("c2ln")
}

pub(super) fn error_event() -> Bytes {
    let error = Refusal::new(StatusCode::from_u16(529).unwrap_or(StatusCode::SERVICE_UNAVAILABLE), "Overloaded");
    named_event("error", &error.anthropic()).into()
}

pub(super) struct Writer {
    turn: Turn,
    /// Blocks begun so far; the present one's index is one less.
    begun: usize,
}

impl Writer {
    pub fn new(turn: Turn) -> Self {
        Self { turn, begun: 0 }
    }

    fn index(&self) -> usize {
        self.begun - 1
    }

    fn begin(&self, block: Block) -> Vec<u8> {
        let content = match block {
            Block::Reasoning => json!({"type": "thinking", "thinking": "", "signature": ""}),
            Block::Text => json!({"type": "text", "text": ""}),
            Block::Call(index) => {
                let name = &self.turn.answer.choices[0].calls[index].name;
                json!({"type": "tool_use", "id": self.turn.call_id("toolu_", 0, index), "name": name, "input": {}})
            }
        };
        let event = json!({"type": "content_block_start", "index": self.index(), "content_block": content});
        named_event("content_block_start", &event)
    }

    /// Every token passes here, so no `Value` is built.
    fn delta(&self, block: Block, piece: &str) -> Vec<u8> {
        let (kind, field) = match block {
            Block::Reasoning => ("thinking_delta", "thinking"),
            Block::Text => ("text_delta", "text"),
            Block::Call(_) => ("input_json_delta", "partial_json"),
        };
        let mut out = Vec::with_capacity(160);
        out.extend_from_slice(b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":");
        out.extend_from_slice(itoa::Buffer::new().format(self.index()).as_bytes());
        out.extend_from_slice(b",\"delta\":{\"type\":\"");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\",\"");
        out.extend_from_slice(field.as_bytes());
        out.extend_from_slice(b"\":");
        put_json(&mut out, piece);
        out.extend_from_slice(b"}}\n\n");
        out
    }
}

impl StreamWriter for Writer {
    fn open(&mut self, out: &mut Queue) {
        let mut start = message(&self.turn, Vec::new(), None);
        if self.turn.tells_usage {
            start["usage"] = usage(&self.turn, 1);
        }
        out.frame(named_event("message_start", &json!({"type": "message_start", "message": start})));
    }

    fn step(&mut self, step: &Step, out: &mut Queue) {
        match step.moment {
            Moment::Begin => {
                self.begun += 1;
                out.frame(self.begin(step.block));
                if self.begun == 1 {
                    out.frame(&b"event: ping\ndata: {\"type\":\"ping\"}\n\n"[..]);
                }
            }
            Moment::Piece(index) => out.token(self.delta(step.block, self.turn.answer.piece(step, index))),
            Moment::End => {
                if step.block == Block::Reasoning {
                    let delta = json!({"type": "signature_delta", "signature": signature(&self.turn)});
                    let event = json!({"type": "content_block_delta", "index": self.index(), "delta": delta});
                    out.frame(named_event("content_block_delta", &event));
                }
                out.frame(named_event(
                    "content_block_stop",
                    &json!({"type": "content_block_stop", "index": self.index()}),
                ));
            }
        }
    }

    fn close(&mut self, out: &mut Queue) {
        let answer = &self.turn.answer;
        let delta = json!({"stop_reason": stop_reason(&answer.choices[0]), "stop_sequence": null});
        let mut event = json!({"type": "message_delta", "delta": delta});
        if self.turn.tells_usage {
            event["usage"] = json!({"output_tokens": answer.completion_tokens()});
        }
        out.frame(named_event("message_delta", &event));
        out.terminator(&b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"[..]);
    }
}
