//! How one request is to be answered: the words of the header `x-simulate` and of a script's `simulate`.
//!
//! Directives are separated by commas, each `name` or `name=value`; spaces around them do not matter. Several headers
//! add up, a header comes after the script, and where two disagree the later one wins. A word that is not known is
//! answered with 400, never ignored. *Events* are counted from 1 and include those before the first token.
//!
//! | Directive | Effect |
//! |---|---|
//! | **Pace** | |
//! | `ttft=MS` | the first token comes after MS milliseconds; a whole answer is late by as much |
//! | `tps=N` | N tokens per second after that; 0 is as fast as possible |
//! | `jitter=SHARE` | each delay is off by up to this share of it, 0 to 1 |
//! | `delay-after-first=MS` | a pause between the first token and the second |
//! | `late-head` | a stream's status line, too, waits for the first token |
//! | `slow-headers=MS` | the answer's head is sent byte by byte with this pause (HTTP/1.1 only) |
//! | `flush` | each event leaves in a write of its own even when sent as fast as possible |
//! | `chunk-bytes=N` | a stream is cut into writes of N bytes, whatever the events' borders are |
//! | **What is said** | |
//! | `tokens=N` | the text has exactly N tokens, unless the request's limit is lower |
//! | `clock` | each token of a stream is `@` and the time at which it was sent, in Unix nanoseconds, 19 digits |
//! | `tool=NAME` | calls this tool; given several times, several calls in one answer |
//! | `prompt-tokens=N` | reports N prompt tokens in place of the counted ones |
//! | `cached=N` | reports N of the prompt tokens as read from a cache |
//! | `reasoning=N` | reports N reasoning tokens; Anthropic, Gemini, Bedrock and Cohere also show them as thoughts |
//! | `reasoning-text` | OpenAI chat shows them as `reasoning_content`, as DeepSeek and Qwen do |
//! | `finish=REASON` | ends with this finish reason, in the dialect's own words; Gemini, Bedrock and Cohere say OpenAI's (`length`, …) in theirs |
//! | `no-usage` | reports no usage at all |
//! | `no-done` | a stream ends without its terminator (`[DONE]`, `message_stop`, `response.completed`, …) |
//! | `comments` | an SSE comment line before every event |
//! | `crlf` | SSE lines end in CRLF |
//! | `header=NAME:VALUE` | adds a header to the answer |
//! | **Faults** | |
//! | `status=CODE` | answers with this status and the dialect's error body |
//! | `retry-after=VALUE` | adds `Retry-After`, with `status` or without |
//! | `error-code=CODE`, `error-type=TYPE`, `error-message=TEXT` | what the error body says; Gemini, Bedrock and Cohere only tell the text |
//! | `unknown-model` | answers 404: there is no such model as the one that is asked for |
//! | `require-auth` | answers 401 to a request that brings no key |
//! | `hang`, `hang=N` | never answers; or falls silent after N events |
//! | `cut`, `cut=N` | breaks off in the middle of a whole answer; or after N events of a stream |
//! | `malformed`, `malformed=N` | the whole answer, or event N, is broken JSON |
//! | `error-event=N` | event N is the dialect's error event, and the last |
//! | `close` | closes the connection without an answer |
//! | `reset` | as `close`, but with a TCP reset; with `cut`, the cut is the reset |
//! | `close-after` | answers with `Connection: close` |
//! | `garbage` | answers with bytes that are not HTTP (HTTP/1.1 only) |

use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode};

use crate::options::{Options, parse_rate, parse_share};

/// Directives, read and checked. The default asks for nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Directives {
    pub ttft: Option<Duration>,
    pub tokens_per_second: Option<f64>,
    pub jitter: Option<f64>,
    pub delay_after_first: Option<Duration>,
    pub late_head: bool,
    pub slow_headers: Option<Duration>,
    pub flush: bool,
    pub chunk_bytes: Option<usize>,
    pub tokens: Option<u32>,
    pub clock: bool,
    pub tools: Vec<String>,
    pub prompt_tokens: Option<u32>,
    pub cached: u32,
    pub reasoning: u32,
    pub reasoning_text: bool,
    pub finish: Option<String>,
    pub no_usage: bool,
    pub no_done: bool,
    pub comments: bool,
    pub crlf: bool,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub status: Option<StatusCode>,
    pub retry_after: Option<HeaderValue>,
    pub error_code: Option<String>,
    pub error_type: Option<String>,
    pub error_message: Option<String>,
    pub unknown_model: bool,
    pub require_auth: bool,
    /// After how many events; 0 is before the head.
    pub hang: Option<u32>,
    /// After how many events; `None` inside is in the middle of a whole answer.
    pub cut: Option<Place>,
    pub malformed: Option<Place>,
    pub error_event: Option<u32>,
    pub close: bool,
    pub reset: bool,
    pub close_after: bool,
    pub garbage: bool,
}

/// Where in an answer a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the body of a whole answer; in a stream, at its first event.
    Anywhere,
    /// At this event of a stream, counted from 1. Whole answers are spared.
    Event(u32),
}

impl Place {
    pub(crate) fn event(self) -> u32 {
        match self {
            Self::Anywhere => 1,
            Self::Event(n) => n,
        }
    }
}

/// Why directives could not be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DirectiveError {
    #[error("x-simulate: unknown directive {0:?}")]
    Unknown(String),
    #[error("x-simulate: {name} needs a value")]
    Missing { name: String },
    #[error("x-simulate: {name} takes no value, got {value:?}")]
    Surplus { name: String, value: String },
    #[error("x-simulate: {name} {problem}")]
    Value { name: String, problem: String },
}

impl Directives {
    /// Reads `text` on top of what is set already.
    ///
    /// # Errors
    ///
    /// Names the first directive that is unknown or has a value it cannot take.
    pub fn apply(&mut self, text: &str) -> Result<(), DirectiveError> {
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name.trim_end(), Some(value.trim_start())),
                None => (word, None),
            };
            let argument = Argument { name, value };
            if !(self.set_pace(&argument)? || self.set_content(&argument)? || self.set_fault(&argument)?) {
                return Err(DirectiveError::Unknown(name.to_owned()));
            }
        }
        Ok(())
    }

    fn set_pace(&mut self, argument: &Argument<'_>) -> Result<bool, DirectiveError> {
        match argument.name {
            "ttft" => self.ttft = Some(argument.milliseconds()?),
            "tps" => self.tokens_per_second = Some(argument.parsed(parse_rate)?),
            "jitter" => self.jitter = Some(argument.parsed(parse_share)?),
            "delay-after-first" => self.delay_after_first = Some(argument.milliseconds()?),
            "late-head" => self.late_head = argument.flag()?,
            "slow-headers" => self.slow_headers = Some(argument.milliseconds()?),
            "flush" => self.flush = argument.flag()?,
            "chunk-bytes" => self.chunk_bytes = Some(argument.number()?.max(1) as usize),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn set_content(&mut self, argument: &Argument<'_>) -> Result<bool, DirectiveError> {
        match argument.name {
            "tokens" => self.tokens = Some(argument.number()?),
            "clock" => self.clock = argument.flag()?,
            "tool" => self.tools.push(argument.text()?.to_owned()),
            "prompt-tokens" => self.prompt_tokens = Some(argument.number()?),
            "cached" => self.cached = argument.number()?,
            "reasoning" => self.reasoning = argument.number()?,
            "reasoning-text" => self.reasoning_text = argument.flag()?,
            "finish" => self.finish = Some(argument.text()?.to_owned()),
            "no-usage" => self.no_usage = argument.flag()?,
            "no-done" => self.no_done = argument.flag()?,
            "comments" => self.comments = argument.flag()?,
            "crlf" => self.crlf = argument.flag()?,
            "header" => self.headers.push(argument.parsed(parse_header)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn set_fault(&mut self, argument: &Argument<'_>) -> Result<bool, DirectiveError> {
        match argument.name {
            "status" => self.status = Some(argument.parsed(parse_status)?),
            "retry-after" => self.retry_after = Some(argument.parsed(parse_header_value)?),
            "error-code" => self.error_code = Some(argument.text()?.to_owned()),
            "error-type" => self.error_type = Some(argument.text()?.to_owned()),
            "error-message" => self.error_message = Some(argument.text()?.to_owned()),
            "unknown-model" => self.unknown_model = argument.flag()?,
            "require-auth" => self.require_auth = argument.flag()?,
            "hang" => self.hang = Some(argument.value.map_or(Ok(0), |_| argument.number())?),
            "cut" => self.cut = Some(argument.place()?),
            "malformed" => self.malformed = Some(argument.place()?),
            "error-event" => self.error_event = Some(argument.number()?.max(1)),
            "close" => self.close = argument.flag()?,
            "reset" => self.reset = argument.flag()?,
            "close-after" => self.close_after = argument.flag()?,
            "garbage" => self.garbage = argument.flag()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// When tokens leave, after the options filled what the request left open.
    pub(crate) fn pace(&self, options: &Options) -> Pace {
        let rate = self.tokens_per_second.unwrap_or(options.tokens_per_second);
        Pace {
            ttft: self.ttft.unwrap_or(Duration::from_millis(options.ttft_ms)),
            interval: if rate > 0.0 {
                Duration::try_from_secs_f64(1.0 / rate).unwrap_or(Duration::MAX)
            } else {
                Duration::ZERO
            },
            after_first: self.delay_after_first.unwrap_or_default(),
            jitter: self.jitter.unwrap_or(options.jitter),
        }
    }
}

/// The schedule of an answer's tokens.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    pub ttft: Duration,
    pub interval: Duration,
    pub after_first: Duration,
    pub jitter: f64,
}

impl Pace {
    /// When token `index` (from 0) is due, counted from the request's arrival. `chance` is uniform in 0..1.
    pub fn due(&self, index: u32, chance: f64) -> Duration {
        let after_first = if index > 0 { self.after_first } else { Duration::ZERO };
        let even = self.ttft.saturating_add(after_first).saturating_add(self.interval.saturating_mul(index));
        if self.jitter == 0.0 {
            return even;
        }
        let step = if index == 0 { self.ttft } else { self.interval };
        let off = step.as_secs_f64() * self.jitter * (2.0 * chance - 1.0);
        Duration::try_from_secs_f64(even.as_secs_f64() + off).unwrap_or_default()
    }

    pub fn is_immediate(&self) -> bool {
        self.ttft.is_zero() && self.interval.is_zero() && self.after_first.is_zero()
    }
}

struct Argument<'a> {
    name: &'a str,
    value: Option<&'a str>,
}

impl Argument<'_> {
    fn text(&self) -> Result<&str, DirectiveError> {
        self.value.ok_or_else(|| DirectiveError::Missing { name: self.name.to_owned() })
    }

    fn flag(&self) -> Result<bool, DirectiveError> {
        match self.value {
            None => Ok(true),
            Some(value) => Err(DirectiveError::Surplus { name: self.name.to_owned(), value: value.to_owned() }),
        }
    }

    fn parsed<T>(&self, parse: impl FnOnce(&str) -> Result<T, String>) -> Result<T, DirectiveError> {
        parse(self.text()?).map_err(|problem| DirectiveError::Value { name: self.name.to_owned(), problem })
    }

    fn number(&self) -> Result<u32, DirectiveError> {
        self.parsed(|text| text.parse().map_err(|_| format!("must be a whole number from 0 up, got {text:?}")))
    }

    fn milliseconds(&self) -> Result<Duration, DirectiveError> {
        self.number().map(|n| Duration::from_millis(n.into()))
    }

    fn place(&self) -> Result<Place, DirectiveError> {
        self.value.map_or(Ok(Place::Anywhere), |_| self.number().map(Place::Event))
    }
}

fn parse_status(text: &str) -> Result<StatusCode, String> {
    match text.parse::<StatusCode>() {
        Ok(status) if status.as_u16() >= 200 => Ok(status),
        _ => Err(format!("must be a status from 200 to 999, got {text:?}")),
    }
}

fn parse_header_value(text: &str) -> Result<HeaderValue, String> {
    text.parse().map_err(|_| format!("cannot be sent in a header: {text:?}"))
}

fn parse_header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or_else(|| format!("must be NAME:VALUE, got {text:?}"))?;
    let name = name.trim().parse().map_err(|_| format!("has no header name: {text:?}"))?;
    Ok((name, parse_header_value(value.trim())?))
}

#[cfg(test)]
mod tests;
