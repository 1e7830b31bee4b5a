//! Gemini, Bedrock (Converse and `invoke`) and Cohere, by the readers and writers of the `llm` crate.
//!
//! The dialects that most clients speak are written out in this crate, so that two independent hands check each other;
//! these share the gateway's. Recorded exchanges and the providers' own SDKs are what they are checked against.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use llm::model::{
    Event as Said, FunctionTool, Json, Part, PartBody, Reasoning, Request, Response, Role, StopReason, StreamStart,
    TokenCounts, Tool as OfferedTool, ToolBody, ToolCall, ToolChoice as Choosing,
};
use llm::{
    ApiError, BodyScan, ClientDialect, DEFAULT_MAX_DEPTH, Dialect, ErrorAnswer, ErrorKind, EventWriter, Protocol,
    Reply, RequestPath, Usage,
};

use super::{Queue, Refusal, StreamWriter, Turn};
use crate::answer::{Block, Finish, Moment, Prompt, Step, Tool, ToolChoice, prompt_tokens};

/// Of which family the body of an `invoke` is.
pub(crate) fn invoked(path: &str, body: &Bytes) -> Result<ClientDialect, Refusal> {
    ClientDialect::of(Protocol::BedrockInvoke, &scan(body)?, path)
        .ok_or_else(|| Refusal::bad("of the bodies of invoke only those with messages of Claude or Nova are answered"))
}

fn scan(body: &Bytes) -> Result<BodyScan, Refusal> {
    BodyScan::parse(body, DEFAULT_MAX_DEPTH).map_err(|error| Refusal::bad(error.to_string()))
}

/// Reads a request; `path` tells the model and the wish for a stream where the dialect has them there.
pub(super) fn read(dialect: ClientDialect, path: &str, body: &Bytes) -> Result<Prompt, Refusal> {
    let scan = scan(body)?;
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

/// The dialect of the bodies.
fn bodies(dialect: ClientDialect) -> Dialect {
    dialect.dialect().unwrap_or_else(|| dialect.relative())
}

/// Writes a whole answer.
pub(super) fn whole(dialect: ClientDialect, turn: &Turn) -> Bytes {
    let mut response = Response::new(bodies(dialect));
    response.id = turn.id("").into();
    response.model = Some(turn.prompt.model.as_str().into());
    response.created = Some(turn.unix_seconds);
    response.usage = turn.tells_usage.then(|| usage(turn));
    for index in 0..turn.answer.choices.len() {
        let parts = turn.answer.blocks(index).into_iter().map(|block| part(turn, index, block));
        response.choices.push(llm::model::Choice {
            index: index as u32,
            parts: parts.collect(),
            stop: Some(stop(bodies(dialect), &turn.answer.choices[index].finish)),
            ..llm::model::Choice::default()
        });
    }
    Bytes::from(dialect.write_response(&response, &reply(turn), &mut llm::model::Losses::default()))
}

/// What stands beside a whole answer: the counts of Bedrock's `invoke`.
pub(super) fn headers(dialect: ClientDialect, turn: &Turn) -> Vec<(HeaderName, HeaderValue)> {
    match dialect {
        ClientDialect::BedrockInvoke(family) if turn.tells_usage => {
            let counts = Usage::of(family.dialect(), &usage(turn)).bedrock_headers();
            counts.map(|(name, count)| (HeaderName::from_static(name), HeaderValue::from(count))).into()
        }
        ClientDialect::BedrockInvoke(_)
        | ClientDialect::Shared(_)
        | ClientDialect::Completions
        | ClientDialect::Mistral => Vec::new(),
    }
}

/// What stands beside a streamed answer: what the chunks of Bedrock's `invoke` hold.
pub(super) fn stream_headers(dialect: ClientDialect) -> Vec<(HeaderName, HeaderValue)> {
    match dialect {
        ClientDialect::BedrockInvoke(_) => {
            let name = HeaderName::from_static("x-amzn-bedrock-content-type");
            vec![(name, HeaderValue::from_static("application/json"))]
        }
        ClientDialect::Shared(_) | ClientDialect::Completions | ClientDialect::Mistral => Vec::new(),
    }
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

fn stop(dialect: Dialect, finish: &Finish) -> llm::model::Stop<'_> {
    let reason = match finish {
        Finish::Stop => StopReason::End,
        Finish::Length => StopReason::Length,
        Finish::ToolCalls => StopReason::ToolCalls,
        Finish::Scripted(word) => meaning(word),
    };
    // Its writer takes its own words as they are.
    let native = match dialect {
        Dialect::Anthropic => finish.word("end_turn", "max_tokens", "tool_use"),
        Dialect::OpenAiChat
        | Dialect::OpenAiResponses
        | Dialect::Gemini
        | Dialect::BedrockConverse
        | Dialect::Cohere => match finish.word("", "", "") {
            // OpenAI's, which each of these says in its own way.
            "stop" | "length" | "tool_calls" | "content_filter" => "",
            own => own,
        },
    };
    llm::model::Stop { reason, native: native.into(), sequence: None }
}

/// What a scripted reason says, in OpenAI's words or in those of Gemini, Bedrock and Cohere.
fn meaning(word: &str) -> StopReason {
    match word {
        "stop" | "end_turn" | "STOP" | "COMPLETE" => StopReason::End,
        "stop_sequence" | "STOP_SEQUENCE" => StopReason::StopSequence,
        "length" | "max_tokens" | "MAX_TOKENS" => StopReason::Length,
        "model_context_window_exceeded" | "ERROR_LIMIT" => StopReason::ContextFull,
        "tool_calls" | "tool_use" | "TOOL_CALL" => StopReason::ToolCalls,
        "content_filter" | "content_filtered" | "guardrail_intervened" | "SAFETY" | "ERROR_TOXIC" => {
            StopReason::ContentFilter
        }
        "malformed_model_output" | "malformed_tool_use" | "MALFORMED_FUNCTION_CALL" => StopReason::Malformed,
        "ERROR" | "TIMEOUT" => StopReason::Failed,
        _ => StopReason::Other,
    }
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

/// A refusal, as clients of `dialect` are told.
pub(super) fn refusal(dialect: Dialect, status: StatusCode, message: &str) -> ErrorAnswer {
    let kind = llm::read_error(dialect, status.as_u16(), None, b"").kind;
    let error = ApiError { kind, status: status.as_u16(), message: message.into(), code: None, param: None };
    llm::write_error(dialect, &error)
}

/// The event that tells of a failure after a stream has begun.
pub(super) fn error_event(dialect: ClientDialect) -> Bytes {
    let mut out = Vec::new();
    let message = "The server had an error while processing your request".into();
    let error = ApiError { kind: ErrorKind::Internal, status: 500, message, code: None, param: None };
    dialect.stream_writer(Reply::default()).write(&Said::Error(error), &mut out);
    Bytes::from(out)
}

/// Writes a streamed answer.
pub(super) struct Writer {
    dialect: Dialect,
    turn: Turn,
    writer: Box<dyn EventWriter>,
}

impl Writer {
    pub fn new(dialect: ClientDialect, turn: Turn) -> Self {
        let writer = dialect.stream_writer(reply(&turn));
        Self { dialect: bodies(dialect), turn, writer }
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
            self.frame(&Said::Stop { choice: index as u32, stop: stop(self.dialect, &choice.finish) }, out);
        }
        if self.turn.tells_usage {
            self.frame(&Said::Usage(usage(&self.turn)), out);
        }
        let mut end = Vec::new();
        self.writer.finish(&mut end);
        out.terminator(end);
    }
}
