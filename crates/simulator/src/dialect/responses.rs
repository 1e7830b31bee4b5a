//! OpenAI Responses.
//!
//! A stream is: `response.created`, `response.in_progress`; for each output item its `added`, its parts and deltas,
//! their `done`s and its own; last `response.completed`, or `response.incomplete` when the limit was met, with the
//! whole response and its usage. Every event carries the next `sequence_number`.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::wire::{content_text, named_event, put_json, to_json};
use super::{Queue, Refusal, StreamWriter, Turn};
use crate::answer::{Block, Finish, Moment, Prompt, Step, Tool, prompt_tokens};
use crate::body::Kind;

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    model: Option<Cow<'a, str>>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    instructions: Option<String>,
    stream: Option<bool>,
    max_output_tokens: Option<u32>,
    tools: Option<Vec<ToolDefinition>>,
    tool_choice: Option<Value>,
}

#[derive(Deserialize)]
struct Item<'a> {
    r#type: Option<String>,
    role: Option<String>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ToolDefinition {
    r#type: String,
    name: Option<String>,
    #[serde(default)]
    parameters: Value,
}

pub(super) fn read(body: &[u8]) -> Result<Prompt, Refusal> {
    let request: Request<'_> = serde_json::from_slice(body).map_err(|error| Refusal::unreadable(&error))?;
    let model = request.model.ok_or_else(|| Refusal::missing("model"))?;
    let input = request.input.ok_or_else(|| Refusal::missing("input"))?;
    let conversation = Conversation::read(input)?;
    let tools = request.tools.unwrap_or_default().into_iter().filter(|tool| tool.r#type == "function");
    Ok(Prompt {
        model: model.into_owned(),
        stream: request.stream.unwrap_or(false),
        include_usage: true,
        tokens: prompt_tokens(conversation.texts.iter().chain(&request.instructions).map(String::as_str)),
        said: conversation.said,
        ends_with_tool_result: conversation.ends_with_tool_result,
        limit: request.max_output_tokens,
        choices: 1,
        tools: tools.filter_map(|tool| Some(Tool { name: tool.name?, parameters: tool.parameters })).collect(),
        tool_choice: super::chat::tool_choice(request.tool_choice.as_ref()),
    })
}

struct Conversation {
    texts: Vec<String>,
    said: String,
    ends_with_tool_result: bool,
}

impl Conversation {
    fn read(input: &RawValue) -> Result<Self, Refusal> {
        if input.get().starts_with('"') {
            let said = content_text(Some(input));
            return Ok(Self { texts: vec![said.clone()], said, ends_with_tool_result: false });
        }
        let items: Vec<Item<'_>> = serde_json::from_str(input.get()).map_err(|error| Refusal::unreadable(&error))?;
        let texts: Vec<String> = items.iter().map(|item| content_text(item.content)).collect();
        let last_user = items.iter().rposition(|item| item.role.as_deref() == Some("user"));
        let ends_with_tool_result =
            items.last().is_some_and(|item| item.r#type.as_deref() == Some("function_call_output"));
        Ok(Self { said: last_user.map(|index| texts[index].clone()).unwrap_or_default(), texts, ends_with_tool_result })
    }
}

pub(super) fn whole(turn: &Turn) -> Bytes {
    to_json(&finished(turn))
}

fn finished(turn: &Turn) -> Value {
    let output: Vec<Value> =
        turn.answer.blocks(0).iter().enumerate().map(|(index, &block)| item(turn, index, block, Stage::Done)).collect();
    let mut response = response(turn, ending(turn).1, output);
    if ending(turn).1 == "incomplete" {
        response["incomplete_details"] =
            json!({"reason": turn.answer.choices[0].finish.word("", "max_output_tokens", "")});
    }
    if turn.tells_usage {
        response["usage"] = usage(turn);
    }
    response
}

/// The last event's name and the status in it.
fn ending(turn: &Turn) -> (&'static str, &'static str) {
    match turn.answer.choices[0].finish {
        Finish::Length | Finish::Scripted(_) => ("response.incomplete", "incomplete"),
        Finish::Stop | Finish::ToolCalls => ("response.completed", "completed"),
    }
}

fn response(turn: &Turn, status: &str, output: Vec<Value>) -> Value {
    json!({
        "id": turn.id("resp_"),
        "object": "response",
        "created_at": turn.unix_seconds,
        "status": status,
        "background": false,
        "error": null,
        "incomplete_details": null,
        "instructions": null,
        "max_output_tokens": turn.prompt.limit,
        "model": turn.prompt.model,
        "output": output,
        "parallel_tool_calls": true,
        "previous_response_id": null,
        "reasoning": {"effort": null, "summary": null},
        "store": true,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": null,
        "user": null,
        "metadata": {},
    })
}

fn usage(turn: &Turn) -> Value {
    let answer = &turn.answer;
    json!({
        "input_tokens": answer.prompt_tokens,
        "input_tokens_details": {"cached_tokens": answer.cached_tokens},
        "output_tokens": answer.completion_tokens(),
        "output_tokens_details": {"reasoning_tokens": answer.reasoning.tokens()},
        "total_tokens": answer.total_tokens(),
    })
}

/// An output item is told twice: when it is added, empty, and when it is done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Added,
    Done,
}

fn item_id(turn: &Turn, index: usize, block: Block) -> String {
    let prefix = match block {
        Block::Reasoning => "rs_",
        Block::Text => "msg_",
        Block::Call(_) => "fc_",
    };
    turn.call_id(prefix, 0, index)
}

fn item(turn: &Turn, index: usize, block: Block, stage: Stage) -> Value {
    let id = item_id(turn, index, block);
    let status = if stage == Stage::Added { "in_progress" } else { "completed" };
    match block {
        Block::Reasoning => json!({"id": id, "type": "reasoning", "summary": []}),
        Block::Text => {
            let content = if stage == Stage::Added { json!([]) } else { json!([text_part(turn, stage)]) };
            json!({"id": id, "type": "message", "status": status, "role": "assistant", "content": content})
        }
        Block::Call(call) => {
            let arguments =
                if stage == Stage::Added { "" } else { turn.answer.choices[0].calls[call].arguments.as_str() };
            let (name, call_id) = (&turn.answer.choices[0].calls[call].name, turn.call_id("call_", 0, call));
            json!({"id": id, "type": "function_call", "status": status, "name": name, "call_id": call_id, "arguments": arguments})
        }
    }
}

fn text_part(turn: &Turn, stage: Stage) -> Value {
    let text = if stage == Stage::Added { "" } else { turn.answer.choices[0].text.as_str() };
    json!({"type": "output_text", "annotations": [], "logprobs": [], "text": text})
}

pub(super) fn error_event() -> Bytes {
    let message = "The server had an error while processing your request.";
    let error =
        json!({"type": "error", "code": "server_error", "message": message, "param": null, "sequence_number": 0});
    named_event("error", &error).into()
}

pub(super) struct Writer {
    turn: Turn,
    /// Output items begun so far.
    begun: usize,
    sequence: u64,
}

impl Writer {
    pub fn new(turn: Turn) -> Self {
        Self { turn, begun: 0, sequence: 0 }
    }

    /// Adds the event's type and number in front, where OpenAI has them.
    fn send(&mut self, name: &str, kind: Kind, fields: Value, out: &mut Queue) {
        let mut event = json!({"type": name, "sequence_number": self.sequence});
        self.sequence += 1;
        if let (Value::Object(event), Value::Object(fields)) = (&mut event, fields) {
            event.extend(fields);
        }
        out.push(named_event(name, &event), kind);
    }

    fn frame(&mut self, name: &str, fields: Value, out: &mut Queue) {
        self.send(name, Kind::Frame, fields, out);
    }

    /// Every token passes here, so no `Value` is built.
    fn delta(&mut self, name: &str, step: &Step, piece: u32, out: &mut Queue) {
        let mut event = Vec::with_capacity(320);
        event.extend_from_slice(b"event: ");
        event.extend_from_slice(name.as_bytes());
        event.extend_from_slice(b"\ndata: {\"type\":\"");
        event.extend_from_slice(name.as_bytes());
        event.extend_from_slice(b"\",\"sequence_number\":");
        event.extend_from_slice(itoa::Buffer::new().format(self.sequence).as_bytes());
        event.extend_from_slice(b",\"item_id\":");
        put_json(&mut event, &item_id(&self.turn, self.begun - 1, step.block));
        event.extend_from_slice(b",\"output_index\":");
        event.extend_from_slice(itoa::Buffer::new().format(self.begun - 1).as_bytes());
        if step.block == Block::Text {
            event.extend_from_slice(b",\"content_index\":0");
        }
        event.extend_from_slice(b",\"delta\":");
        put_json(&mut event, self.turn.answer.piece(step, piece));
        event.extend_from_slice(if step.block == Block::Text { b",\"logprobs\":[]}\n\n" } else { b"}\n\n" });
        self.sequence += 1;
        out.token(event);
    }

    fn begin(&mut self, block: Block, out: &mut Queue) {
        let index = self.begun;
        self.begun += 1;
        let added = item(&self.turn, index, block, Stage::Added);
        self.frame("response.output_item.added", json!({"output_index": index, "item": added}), out);
        if block == Block::Text {
            let part = text_part(&self.turn, Stage::Added);
            let id = item_id(&self.turn, index, block);
            let fields = json!({"item_id": id, "output_index": index, "content_index": 0, "part": part});
            self.frame("response.content_part.added", fields, out);
        }
    }

    fn end(&mut self, block: Block, out: &mut Queue) {
        let index = self.begun - 1;
        let id = item_id(&self.turn, index, block);
        match block {
            Block::Reasoning => (),
            Block::Text => {
                let text = self.turn.answer.choices[0].text.as_str();
                let at =
                    json!({"item_id": id, "output_index": index, "content_index": 0, "text": text, "logprobs": []});
                self.frame("response.output_text.done", at, out);
                let part = text_part(&self.turn, Stage::Done);
                let at = json!({"item_id": id, "output_index": index, "content_index": 0, "part": part});
                self.frame("response.content_part.done", at, out);
            }
            Block::Call(call) => {
                let arguments = self.turn.answer.choices[0].calls[call].arguments.as_str();
                let at = json!({"item_id": id, "output_index": index, "arguments": arguments});
                self.frame("response.function_call_arguments.done", at, out);
            }
        }
        let done = item(&self.turn, index, block, Stage::Done);
        self.frame("response.output_item.done", json!({"output_index": index, "item": done}), out);
    }
}

impl StreamWriter for Writer {
    fn open(&mut self, out: &mut Queue) {
        for name in ["response.created", "response.in_progress"] {
            let response = response(&self.turn, "in_progress", Vec::new());
            self.frame(name, json!({"response": response}), out);
        }
    }

    fn step(&mut self, step: &Step, out: &mut Queue) {
        match (step.block, step.moment) {
            (block, Moment::Begin) => self.begin(block, out),
            (block, Moment::End) => self.end(block, out),
            (Block::Text, Moment::Piece(index)) => self.delta("response.output_text.delta", step, index, out),
            (Block::Call(_), Moment::Piece(index)) => {
                self.delta("response.function_call_arguments.delta", step, index, out)
            }
            (Block::Reasoning, Moment::Piece(_)) => (),
        }
    }

    fn close(&mut self, out: &mut Queue) {
        let response = finished(&self.turn);
        self.send(ending(&self.turn).0, Kind::Terminator, json!({"response": response}), out);
    }
}
