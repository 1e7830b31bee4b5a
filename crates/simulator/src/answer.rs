//! What the model says to a prompt, before any dialect: texts, tool calls, why it stopped, and what it cost.
//!
//! A dialect reads its request into a [`Prompt`] and writes the [`Answer`] back, whole or [step](Step) by step.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::directives::Directives;
use crate::text::{self, Text};

/// What matters of a request.
#[derive(Debug, Default)]
pub(crate) struct Prompt {
    pub model: String,
    pub stream: bool,
    /// OpenAI Chat's `stream_options.include_usage`; the other dialects always tell.
    pub include_usage: bool,
    /// The text of the last user message.
    pub said: String,
    /// The conversation ends with the result of a tool, which is to be answered in words.
    pub ends_with_tool_result: bool,
    pub tokens: u32,
    /// The most tokens that the answer may have.
    pub limit: Option<u32>,
    /// How many answers are asked for, at least 1.
    pub choices: u32,
    pub tools: Vec<Tool>,
    pub tool_choice: ToolChoice,
}

#[derive(Debug)]
pub(crate) struct Tool {
    pub name: String,
    /// The JSON Schema of its arguments.
    pub parameters: Value,
}

#[derive(Debug, Default)]
pub(crate) enum ToolChoice {
    #[default]
    Auto,
    Never,
    Required,
    Named(String),
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub choices: Vec<Choice>,
    pub prompt_tokens: u32,
    pub cached_tokens: u32,
    pub reasoning: Text,
    pub shows_reasoning: bool,
}

#[derive(Debug)]
pub(crate) struct Choice {
    pub text: Text,
    pub calls: Vec<Call>,
    pub finish: Finish,
}

#[derive(Debug)]
pub(crate) struct Call {
    pub name: String,
    pub arguments: Text,
}

#[derive(Debug, Clone)]
pub(crate) enum Finish {
    Stop,
    Length,
    ToolCalls,
    /// The dialect's own word, from a script.
    Scripted(String),
}

impl Answer {
    pub fn new(prompt: &Prompt, directives: &Directives, seed: u64) -> Self {
        let choices =
            (0..prompt.choices.max(1)).map(|index| Choice::new(prompt, directives, seed ^ u64::from(index))).collect();
        Self {
            choices,
            prompt_tokens: directives.prompt_tokens.unwrap_or(prompt.tokens).max(directives.cached),
            cached_tokens: directives.cached,
            reasoning: Text::filler(seed, &prompt.said, directives.reasoning),
            shows_reasoning: directives.reasoning_text,
        }
    }

    /// All tokens that were made: reasoning, texts, calls.
    pub fn completion_tokens(&self) -> u32 {
        self.reasoning.tokens() + self.choices.iter().map(Choice::tokens).sum::<u32>()
    }

    pub fn total_tokens(&self) -> u32 {
        self.prompt_tokens + self.completion_tokens()
    }
}

impl Choice {
    fn new(prompt: &Prompt, directives: &Directives, seed: u64) -> Self {
        let calls = wanted_calls(prompt, directives);
        let mut text = match directives.tokens {
            Some(tokens) if directives.clock => Text::clock(tokens),
            Some(tokens) => Text::filler(seed, &prompt.said, tokens),
            None if calls.is_empty() => Text::answer(seed, &prompt.said),
            None => Text::default(),
        };
        let cut = prompt.limit.is_some_and(|limit| text.limit(limit));
        let finish = match &directives.finish {
            Some(reason) => Finish::Scripted(reason.clone()),
            None if cut => Finish::Length,
            None if !calls.is_empty() => Finish::ToolCalls,
            None => Finish::Stop,
        };
        Self { text, calls, finish }
    }

    fn tokens(&self) -> u32 {
        self.text.tokens() + self.calls.iter().map(Call::tokens).sum::<u32>()
    }
}

impl Call {
    /// A call costs its arguments and one token for its name.
    fn tokens(&self) -> u32 {
        self.arguments.tokens() + 1
    }
}

/// The calls that the script, the request's `tool_choice` or the words "call NAME" ask for, in this order of weight.
fn wanted_calls(prompt: &Prompt, directives: &Directives) -> Vec<Call> {
    if !directives.tools.is_empty() {
        return directives.tools.iter().map(|name| call(prompt, name)).collect();
    }
    match &prompt.tool_choice {
        ToolChoice::Never => Vec::new(),
        ToolChoice::Named(name) => vec![call(prompt, name)],
        ToolChoice::Required => prompt.tools.first().map(|tool| call(prompt, &tool.name)).into_iter().collect(),
        ToolChoice::Auto if prompt.ends_with_tool_result => Vec::new(),
        ToolChoice::Auto => {
            let said = prompt.said.to_lowercase();
            let asked = |tool: &&Tool| said.contains(&format!("call {}", tool.name.to_lowercase()));
            prompt.tools.iter().filter(asked).map(|tool| call(prompt, &tool.name)).collect()
        }
    }
}

fn call(prompt: &Prompt, name: &str) -> Call {
    let tool = prompt.tools.iter().find(|tool| tool.name == name);
    let arguments = tool.map_or_else(|| Value::Object(Map::new()), |tool| example(&tool.parameters));
    Call { name: name.to_owned(), arguments: Text::cut(arguments.to_string()) }
}

/// The simplest value that a JSON Schema admits: required properties only, or all when none is required.
fn example(schema: &Value) -> Value {
    if let Some(first) = schema["enum"].as_array().and_then(|values| values.first()) {
        return first.clone();
    }
    if let Some(fixed) = schema.get("const").or_else(|| schema.get("default")) {
        return fixed.clone();
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.first().and_then(Value::as_str),
        kind => kind.as_str(),
    };
    match kind {
        Some("string") => Value::from("example"),
        Some("integer") => schema.get("minimum").cloned().unwrap_or_else(|| Value::from(1)),
        Some("number") => schema.get("minimum").cloned().unwrap_or_else(|| Value::from(1.5)),
        Some("boolean") => Value::Bool(true),
        Some("array") => Value::Array(vec![example(&schema["items"])]),
        Some("null") => Value::Null,
        _ => example_object(schema),
    }
}

fn example_object(schema: &Value) -> Value {
    let Some(properties) = schema["properties"].as_object() else {
        return Value::Object(Map::new());
    };
    let required = schema["required"].as_array().filter(|names| !names.is_empty());
    let wanted = |name: &str| required.is_none_or(|names| names.iter().any(|required| required == name));
    let members =
        properties.iter().filter(|(name, _)| wanted(name)).map(|(name, schema)| (name.clone(), example(schema)));
    Value::Object(members.collect())
}

/// One step of a streamed answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub choice: usize,
    pub block: Block,
    pub moment: Moment,
}

/// A part of an answer that has a begin and an end of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    Reasoning,
    Text,
    Call(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    Begin,
    /// Token by index.
    Piece(u32),
    End,
}

impl Answer {
    pub fn text_of(&self, choice: usize, block: Block) -> &Text {
        match block {
            Block::Reasoning => &self.reasoning,
            Block::Text => &self.choices[choice].text,
            Block::Call(index) => &self.choices[choice].calls[index].arguments,
        }
    }

    pub fn piece(&self, step: &Step, index: u32) -> &str {
        self.text_of(step.choice, step.block).piece(index)
    }

    /// Reasoning if there was any, text unless there are only calls, calls.
    pub fn blocks(&self, choice: usize) -> Vec<Block> {
        let Choice { text, calls, .. } = &self.choices[choice];
        let reasoning = (self.reasoning.tokens() > 0).then_some(Block::Reasoning);
        let text = (text.tokens() > 0 || calls.is_empty()).then_some(Block::Text);
        reasoning.into_iter().chain(text).chain((0..calls.len()).map(Block::Call)).collect()
    }

    /// The steps of all choices; those of several choices take turns.
    pub fn steps(self: &Arc<Self>) -> impl Iterator<Item = Step> + Send + use<> {
        let mut walks: Vec<Walk> = (0..self.choices.len()).map(|choice| Walk::new(Arc::clone(self), choice)).collect();
        let mut turn = 0;
        std::iter::from_fn(move || {
            while !walks.is_empty() {
                turn %= walks.len();
                if let Some(step) = walks[turn].next() {
                    turn += 1;
                    return Some(step);
                }
                walks.remove(turn);
            }
            None
        })
    }
}

/// Goes through the blocks of one choice.
struct Walk {
    answer: Arc<Answer>,
    choice: usize,
    blocks: std::vec::IntoIter<Block>,
    present: Option<(Block, Moment)>,
}

impl Walk {
    fn new(answer: Arc<Answer>, choice: usize) -> Self {
        let blocks = answer.blocks(choice).into_iter();
        Self { answer, choice, blocks, present: None }
    }
}

impl Iterator for Walk {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        let piece_or_end = |block, index| {
            let left = index < self.answer.text_of(self.choice, block).tokens();
            (block, if left { Moment::Piece(index) } else { Moment::End })
        };
        let (block, moment) = match self.present {
            None | Some((_, Moment::End)) => (self.blocks.next()?, Moment::Begin),
            Some((block, Moment::Begin)) => piece_or_end(block, 0),
            Some((block, Moment::Piece(index))) => piece_or_end(block, index + 1),
        };
        self.present = Some((block, moment));
        Some(Step { choice: self.choice, block, moment })
    }
}

/// Prompt tokens of a conversation with these message texts.
pub(crate) fn prompt_tokens<'a>(texts: impl Iterator<Item = &'a str>) -> u32 {
    texts.map(|said| text::TOKENS_PER_MESSAGE + text::count(said)).sum()
}
