//! Gemini, Bedrock Converse and Cohere, by the readers and writers of the `llm` crate.
//!
//! The dialects that most clients speak are written out in this crate, so that two independent hands check each other;
//! these share the gateway's. Recorded exchanges and the providers' own SDKs are what they are checked against.

use std::borrow::Cow;

use bytes::Bytes;
use http::StatusCode;
use llm::model::{
    Event as Said, FunctionTool, Json, Part, PartBody, Reasoning, Request, Response, Role, StopReason, StreamStart,
    TokenCounts, Tool as OfferedTool, ToolBody, ToolCall, ToolChoice as Choosing,
};
use llm::{ApiError, BodyScan, DEFAULT_MAX_DEPTH, Dialect, ErrorKind, EventWriter, Reply, RequestPath};

use super::{Queue, Refusal, StreamWriter, Turn};
use crate::answer::{Block, Finish, Moment, Prompt, Step, Tool, ToolChoice, prompt_tokens};

/// Reads a request; `path` tells the model and the wish for a stream where the dialect has them there.
pub(super) fn read(dialect: Dialect, path: &str, body: &Bytes) -> Result<Prompt, Refusal> {
    let scan = BodyScan::parse(body, DEFAULT_MAX_DEPTH).map_err(|error| Refusal::bad(error.to_string()))?;
    let told = llm::detect(RequestPath { normal: path, sent: path }, &scan)
        .ok_or_else(|| Refusal::bad("the body is no conversation"))?;
    let request = dialect.read_request(scan.raw()).map_err(|error| Refusal::bad(error.to_string()))?;
    let texts: Vec<String> = request.turns.iter().map(|turn| text_of(&turn.parts)).collect();
    let said = request.turns.iter().zip(&texts).rev().find(|(turn, text)| turn.role == Role::User && !text.is_empty());
    let ends_with_tool_result = request
        .turns
        .last()
        .is_some_and(|turn| turn.parts.iter().any(|part| matches!(part.body, PartBody::ToolResult(_))));
    Ok(Prompt {
        model: told.model.map(Cow::into_owned).unwrap_or_default(),
        stream: told.stream,
        include_usage: true,
        said: said.map(|(_, text)| text.clone()).unwrap_or_default(),
        ends_with_tool_result,
        tokens: prompt_tokens(texts.iter().map(String::as_str)),
        limit: request.max_tokens.map(|limit| u32::try_from(limit).unwrap_or(u32::MAX)),
        choices: request.choices.map_or(1, |choices| u32::try_from(choices).unwrap_or(1)),
        tool_choice: tool_choice(&request),
        tools: request.tools.iter().filter_map(tool).collect(),
    })
}

fn text_of(parts: &[Part<'_>]) -> String {
    let texts = parts.iter().filter_map(|part| match &part.body {
        PartBody::Text { text, .. } => Some(text.as_ref()),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

fn tool(offered: &OfferedTool<'_>) -> Option<Tool> {
    let ToolBody::Function(FunctionTool { name, parameters, .. }) = &offered.body else { return None };
    let parameters = parameters.as_ref().map(Json::bytes).and_then(|json| serde_json::from_slice(json).ok());
    Some(Tool { name: name.to_string(), parameters: parameters.unwrap_or_default() })
}

fn tool_choice(request: &Request<'_>) -> ToolChoice {
    match &request.tool_choice {
        Some(Choosing::None) => ToolChoice::Never,
        Some(Choosing::Required) => ToolChoice::Required,
        Some(Choosing::Function(name)) => ToolChoice::Named(name.to_string()),
        Some(Choosing::Allowed { names, required: true }) => {
            names.first().map_or(ToolChoice::Required, |name| ToolChoice::Named(name.to_string()))
        }
        Some(Choosing::Auto | Choosing::Allowed { .. } | Choosing::Opaque(_)) | None => ToolChoice::Auto,
    }
}

/// Writes a whole answer.
pub(super) fn whole(dialect: Dialect, turn: &Turn) -> Bytes {
    let mut response = Response::new(dialect);
    response.id = turn.id("").into();
    response.model = Some(turn.prompt.model.as_str().into());
    response.created = Some(turn.unix_seconds);
    response.usage = turn.tells_usage.then(|| usage(turn));
    for index in 0..turn.answer.choices.len() {
        let parts = turn.answer.blocks(index).into_iter().map(|block| part(turn, index, block));
        response.choices.push(llm::model::Choice {
            index: index as u32,
            parts: parts.collect(),
            stop: Some(stop(&turn.answer.choices[index].finish)),
            ..llm::model::Choice::default()
        });
    }
    Bytes::from(dialect.write_response(&response, &reply(turn), &mut llm::model::Losses::default()))
}

fn part(turn: &Turn, choice: usize, block: Block) -> Part<'_> {
    let text = turn.answer.text_of(choice, block).as_str();
    match block {
        Block::Text => Part::text(text),
        Block::Reasoning => PartBody::Reasoning(Reasoning { text: text.into(), ..Reasoning::default() }).into(),
        Block::Call(index) => PartBody::ToolCall(ToolCall {
            id: turn.call_id("call_", choice, index).into(),
            name: turn.answer.choices[choice].calls[index].name.as_str().into(),
            arguments: text.into(),
            signature: None,
        })
        .into(),
    }
}

fn usage(turn: &Turn) -> TokenCounts {
    TokenCounts {
        input: turn.answer.prompt_tokens.into(),
        cache_read: turn.answer.cached_tokens.into(),
        output: turn.answer.completion_tokens().into(),
        reasoning: turn.answer.reasoning.tokens().into(),
        ..TokenCounts::default()
    }
}

fn stop(finish: &Finish) -> llm::model::Stop<'_> {
    let reason = match finish {
        Finish::Stop => StopReason::End,
        Finish::Length => StopReason::Length,
        Finish::ToolCalls => StopReason::ToolCalls,
        Finish::Scripted(_) => StopReason::Other,
    };
    llm::model::Stop { reason, native: finish.word("", "", "").into(), sequence: None }
}

fn reply(turn: &Turn) -> Reply {
    Reply {
        id: turn.id("").into(),
        model: turn.prompt.model.as_str().into(),
        created: turn.unix_seconds,
        include_usage: true,
        ..Reply::default()
    }
}

/// The body of a refusal.
pub(super) fn refusal(dialect: Dialect, status: StatusCode, message: &str) -> Bytes {
    let kind = llm::read_error(dialect, status.as_u16(), None, b"").kind;
    let error = ApiError { kind, status: status.as_u16(), message: message.into(), code: None, param: None };
    llm::write_error(dialect, &error).body
}

/// The event that tells of a failure after a stream has begun.
pub(super) fn error_event(dialect: Dialect) -> Bytes {
    let mut out = Vec::new();
    let message = "The server had an error while processing your request".into();
    let error = ApiError { kind: ErrorKind::Internal, status: 500, message, code: None, param: None };
    dialect.stream_writer(Reply::default()).write(&Said::Error(error), &mut out);
    Bytes::from(out)
}

/// Writes a streamed answer.
pub(super) struct Writer {
    turn: Turn,
    writer: Box<dyn EventWriter>,
}

impl Writer {
    pub fn new(dialect: Dialect, turn: Turn) -> Self {
        let writer = dialect.stream_writer(reply(&turn));
        Self { turn, writer }
    }

    fn say(&mut self, said: &Said<'_>) -> Bytes {
        let mut out = Vec::new();
        self.writer.write(said, &mut out);
        Bytes::from(out)
    }

    fn frame(&mut self, said: &Said<'_>, out: &mut Queue) {
        let bytes = self.say(said);
        if !bytes.is_empty() {
            out.frame(bytes);
        }
    }
}

impl StreamWriter for Writer {
    fn open(&mut self, out: &mut Queue) {
        let model = Some(self.turn.prompt.model.clone().into());
        let created = Some(self.turn.unix_seconds);
        let start = StreamStart { id: self.turn.id("").into(), model, created, service_tier: None };
        self.frame(&Said::Start(start), out);
    }

    fn step(&mut self, step: &Step, out: &mut Queue) {
        let choice = step.choice as u32;
        let said = match (step.moment, step.block) {
            (Moment::Begin, Block::Call(index)) => Said::ToolCall {
                choice,
                call: index as u32,
                id: self.turn.call_id("call_", step.choice, index).into(),
                name: self.turn.answer.choices[step.choice].calls[index].name.clone().into(),
                signature: None,
            },
            (Moment::Begin, Block::Reasoning | Block::Text) => return,
            (Moment::End, _) => Said::PartEnd { choice },
            (Moment::Piece(index), block) => {
                let text = self.turn.answer.piece(step, index).to_owned().into();
                match block {
                    Block::Reasoning => Said::Reasoning { choice, text, is_summary: false },
                    Block::Text => Said::Text { choice, text },
                    Block::Call(call) => Said::Arguments { choice, call: call as u32, json: text },
                }
            }
        };
        match step.moment {
            // Also where nothing is to be seen of it: the token was made, and it took its time.
            Moment::Piece(_) => {
                let bytes = self.say(&said);
                out.token(bytes);
            }
            Moment::Begin | Moment::End => self.frame(&said, out),
        }
    }

    fn close(&mut self, out: &mut Queue) {
        let answer = self.turn.answer.clone();
        for (index, choice) in answer.choices.iter().enumerate() {
            self.frame(&Said::Stop { choice: index as u32, stop: stop(&choice.finish) }, out);
        }
        if self.turn.tells_usage {
            self.frame(&Said::Usage(usage(&self.turn)), out);
        }
        let mut end = Vec::new();
        self.writer.finish(&mut end);
        out.terminator(end);
    }
}
