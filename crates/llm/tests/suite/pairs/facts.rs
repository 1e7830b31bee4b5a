//! What every dialect can tell of a request and of an answer, in one form.

use serde_json::Value;
use tidegate_llm::Dialect;
use tidegate_llm::model::{MediaSource, Part, PartBody, Request, Response, Role, StopReason, ToolBody, ToolResult};

/// A call: its identifier, its function, its arguments.
pub type Call = (String, String, Value);

/// Why an answer ended, so far as every dialect tells it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    Said,
    Length,
    ToolCalls,
    Filtered,
}

/// What of an answer must survive.
#[derive(Debug, PartialEq)]
pub struct AnswerFacts {
    /// Texts and refusals of the first choice.
    pub text: String,
    pub calls: Vec<Call>,
    pub finish: Finish,
    /// A part of the text is a refusal in a field of its own.
    pub refuses: bool,
    /// Input and output tokens; absent counts are none.
    pub usage: (u64, u64),
}

impl AnswerFacts {
    /// The facts of `answer`, as far as all of `carriers` can tell them.
    pub fn of(answer: &Response<'_>, carriers: &[Dialect]) -> Self {
        let parts = answer.choices.first().map(|choice| choice.parts.as_slice()).unwrap_or_default();
        let calls: Vec<Call> = parts.iter().filter_map(call).collect();
        let reason = answer.choices.first().and_then(|choice| choice.stop.as_ref()).map(|stop| stop.reason);
        let finish = match finish(reason.unwrap_or(StopReason::End)) {
            Finish::Said | Finish::ToolCalls if !calls.is_empty() => Finish::ToolCalls,
            Finish::Said | Finish::ToolCalls => Finish::Said,
            // Cohere has no word for filters.
            Finish::Filtered if carriers.contains(&Dialect::Cohere) => Finish::Said,
            Finish::Filtered if ANTHROPIC_AT_CHAT.iter().all(|dialect| carriers.contains(dialect)) => Finish::Said,
            other => other,
        };
        let usage = answer.usage.unwrap_or_default();
        let refuses = parts.iter().any(|part| matches!(part.body, PartBody::Refusal(_)));
        Self { text: text(parts), calls, finish, refuses, usage: (usage.input, usage.output) }
    }

    /// These facts with what may be told otherwise as `after` tells it: calls without identifiers get some, arguments
    /// that are no object are wrapped or left out, and a refusal is a reason to stop or a text.
    pub fn in_the_words_of(mut self, after: &Self) -> Self {
        for (call, told) in self.calls.iter_mut().zip(&after.calls) {
            if call.0.is_empty() && !told.0.is_empty() {
                call.0.clone_from(&told.0);
            }
            if !call.2.is_object() && call.1 == told.1 {
                call.2.clone_from(&told.2);
            }
        }
        if self.refuses && after.finish == Finish::Filtered {
            self.finish = Finish::Filtered;
        }
        self.refuses = after.refuses;
        self
    }
}

fn finish(reason: StopReason) -> Finish {
    match reason {
        StopReason::End
        | StopReason::StopSequence
        | StopReason::Pause
        | StopReason::Malformed
        | StopReason::Failed
        | StopReason::Other => Finish::Said,
        StopReason::Length | StopReason::ContextFull => Finish::Length,
        StopReason::ToolCalls => Finish::ToolCalls,
        StopReason::ContentFilter | StopReason::Refusal => Finish::Filtered,
    }
}

/// The text of `parts`, refusals included.
pub fn text(parts: &[Part<'_>]) -> String {
    let texts = parts.iter().filter_map(|part| match &part.body {
        PartBody::Text { text, .. } | PartBody::Refusal(text) => Some(text.as_ref()),
        PartBody::Media(_)
        | PartBody::ToolCall(_)
        | PartBody::ToolResult(_)
        | PartBody::Reasoning(_)
        | PartBody::Opaque(_) => None,
    });
    texts.collect()
}

/// The text of thoughts.
pub fn thoughts(parts: &[Part<'_>]) -> String {
    let texts = parts.iter().filter_map(|part| match &part.body {
        PartBody::Reasoning(reasoning) => Some(reasoning.text.as_ref()),
        _ => None,
    });
    texts.collect()
}

fn call(part: &Part<'_>) -> Option<Call> {
    let PartBody::ToolCall(call) = &part.body else { return None };
    Some((call.id.to_string(), call.name.to_string(), json(&call.arguments)))
}

/// The value that `text` is; what is no JSON stays text, and nothing is `{}`.
fn json(text: &str) -> Value {
    match text.trim() {
        "" => Value::Object(serde_json::Map::new()),
        text => serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)),
    }
}

/// Who says what; neighbours of one role are one.
pub type Said = (Role, String);

/// What of a request must survive.
#[derive(Debug, PartialEq)]
pub struct RequestFacts {
    pub instructions: String,
    /// What user and assistant say in turn.
    pub said: Vec<Said>,
    /// The same with the texts of documents, which are texts in some dialects.
    pub said_with_documents: Vec<Said>,
    pub calls: Vec<Call>,
    /// The number of the call that is answered, and what the answer is.
    pub results: Vec<(Option<usize>, Value)>,
    /// The functions' names.
    pub tools: Vec<String>,
}

/// For clients of the one at providers of the other what a filter has cut ends normally.
const ANTHROPIC_AT_CHAT: [Dialect; 2] = [Dialect::Anthropic, Dialect::OpenAiChat];

/// With this some writers introduce media of a tool's result, where results hold but text.
const INTRODUCTION: &str = "Attachedbythetool:";

/// Said where a dialect's providers want something to be said.
const FILLERS: [&str; 2] = ["Continue.", "Seethedocument."];

impl RequestFacts {
    /// Nothing is said that every dialect could say.
    pub fn is_empty(&self) -> bool {
        self.instructions.is_empty() && self.said.is_empty() && self.calls.is_empty() && self.results.is_empty()
    }

    pub fn of(request: &Request<'_>) -> Self {
        let parts = || request.turns.iter().flat_map(|turn| &turn.parts);
        let calls: Vec<Call> = parts().filter_map(call).collect();
        let results = parts().filter_map(|part| match &part.body {
            PartBody::ToolResult(result) => {
                let answers = calls.iter().position(|(id, _, _)| *id == result.call_id);
                Some((answers, result_value(result)))
            }
            _ => None,
        });
        let results = results.collect();
        let (said, said_with_documents) = (said(request, |_| None), said(request, document));
        let tools = request.tools.iter().filter_map(|tool| match &tool.body {
            ToolBody::Function(function) => Some(function.name.to_string()),
            ToolBody::Opaque(_) => None,
        });
        let instructions = instructions(request);
        Self { instructions, said, said_with_documents, calls, results, tools: tools.collect() }
    }
}

impl RequestFacts {
    /// These facts with what may be told otherwise as `after` tells it: calls and results without identifiers get
    /// some, arguments that are no object are wrapped or left out, and functions that were called before are
    /// declared; instructions to which nothing is said are said by the user.
    pub fn in_the_words_of(mut self, after: &Self) -> Self {
        for (result, told) in self.results.iter_mut().zip(&after.results) {
            if result.0.is_none_or(|at| !is_accepted(&self.calls[at].0) || is_ambiguous(&self.calls, at)) {
                result.0 = told.0;
            }
        }
        for (call, told) in self.calls.iter_mut().zip(&after.calls) {
            if !is_accepted(&call.0) && !told.0.is_empty() {
                call.0.clone_from(&told.0);
            }
            if !call.2.is_object() && call.1 == told.1 {
                call.2.clone_from(&told.2);
            }
        }
        if self.said.is_empty() && after.instructions.is_empty() {
            self.said = vec![(Role::User, std::mem::take(&mut self.instructions))];
        }
        let tells = |(before, after): (&Said, &Said)| before.0 == after.0 && after.1.contains(&before.1);
        let documents = &self.said_with_documents;
        if documents.len() == after.said.len() && documents.iter().zip(&after.said).all(tells) {
            self.said.clone_from(&after.said);
        }
        let called = |name: &&String| self.calls.iter().any(|(_, called, _)| called == *name);
        let declared: Vec<String> = after.tools.iter().filter(called).cloned().collect();
        for name in declared {
            if !self.tools.contains(&name) {
                self.tools.push(name);
            }
        }
        self
    }
}

/// Another call has the identifier of the call at `at`, or none has one.
fn is_ambiguous(calls: &[Call], at: usize) -> bool {
    calls.iter().filter(|(id, _, _)| *id == calls[at].0).count() > 1
}

/// Every dialect's providers accept the identifier of a call.
fn is_accepted(id: &str) -> bool {
    let accepted = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=40).contains(&id.len()) && id.bytes().all(accepted)
}

fn instructions(request: &Request<'_>) -> String {
    let turns = request.turns.iter().filter(|turn| matches!(turn.role, Role::System | Role::Developer));
    turns.map(|turn| pressed(&text(&turn.parts))).collect()
}

/// Who says what, with what `also` finds in a part.
fn said(request: &Request<'_>, also: impl Fn(&Part<'_>) -> Option<String>) -> Vec<Said> {
    let mut said: Vec<Said> = Vec::new();
    for turn in request.turns.iter().filter(|turn| matches!(turn.role, Role::User | Role::Assistant)) {
        let texts = turn.parts.iter().map(|part| also(part).unwrap_or_else(|| text(std::slice::from_ref(part))));
        let text = pressed(&texts.collect::<String>()).replace(INTRODUCTION, "");
        if text.is_empty() || FILLERS.contains(&text.as_str()) {
            continue;
        }
        match said.last_mut() {
            Some((role, known)) if *role == turn.role => known.push_str(&text),
            _ => said.push((turn.role, text)),
        }
    }
    said
}

/// The text of a document that is one.
fn document(part: &Part<'_>) -> Option<String> {
    match &part.body {
        PartBody::Media(media) => match &media.source {
            MediaSource::PlainText(text) => Some(text.to_string()),
            MediaSource::Base64(_) | MediaSource::Url(_) | MediaSource::File(_) => None,
        },
        _ => None,
    }
}

/// Without blanks: dialects join and trim texts in their own ways.
fn pressed(text: &str) -> String {
    text.chars().filter(|character| !character.is_whitespace()).collect()
}

/// A result is text or JSON, as its dialect has it; an object of one member is what stands in the member.
fn result_value(result: &ToolResult<'_>) -> Value {
    let value = match &result.json {
        Some(json) => serde_json::from_slice(json.bytes()).unwrap(),
        None => json(&text(&result.content)),
    };
    match &value {
        Value::Object(members) if members.len() == 1 => members
            .iter()
            .find(|(name, _)| ["output", "result", "error"].contains(&name.as_str()))
            .map(|(_, inner)| inner.as_str().map_or_else(|| inner.clone(), json))
            .unwrap_or(value),
        _ => value,
    }
}
