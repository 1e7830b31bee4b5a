//! Reads a provider's error body, whatever its shape: providers that speak one dialect differ in their errors.
//!
//! Invariant: any bytes give an error, for the status alone says that there is one. Neither the content type nor the
//! dialect is relied on: gateways in between answer in shapes of their own.

use std::borrow::Cow;

use super::{ApiError, ErrorKind, meaning};
use crate::dialect::Dialect;
use crate::json::{Kind, Raw};

/// Of a body that is no JSON, so much is kept.
const MOST_TEXT: usize = 2000;

/// What error bodies tell, in whichever place.
#[derive(Default)]
struct Told<'a> {
    message: Option<Cow<'a, str>>,
    /// `code`, if it is a word.
    code: Option<Cow<'a, str>>,
    /// `code`, if it is a number, also in quotes.
    number: Option<u64>,
    kind: Option<Cow<'a, str>>,
    /// Google's `status`.
    status: Option<Cow<'a, str>>,
    param: Option<Cow<'a, str>>,
    /// More exact reasons further inside: Google's `details`, Azure's `innererror`.
    reason: Option<Cow<'a, str>>,
    /// What the provider behind OpenRouter said.
    behind: Option<Cow<'a, str>>,
    /// OpenRouter gives the reasons for which a filter has refused the request.
    is_flagged: bool,
    minimax: Option<u64>,
    is_nested: bool,
}

/// Reads the error that came with `status` (0 inside a stream). `amzn_errortype` is Bedrock's header of that name, or
/// the exception's type inside a stream.
pub fn read_error<'a>(dialect: Dialect, status: u16, amzn_errortype: Option<&str>, body: &'a [u8]) -> ApiError<'a> {
    let mut told = Told::default();
    match Raw::checked(body).or_else(|| event_data(body)) {
        Some(json) => told.take(json),
        None => told.message = Some(plain_text(body)).filter(|text| !text.is_empty()),
    }
    let exception = amzn_errortype.map(exception_name);
    let status = told.status_or(status);
    let kind = told.meaning(dialect, exception, status);
    let code = told.code.or(told.reason).or(told.kind).or(told.status);
    let message = match (told.message, told.behind) {
        (Some(message), Some(behind)) if message != behind => format!("{message}: {behind}").into(),
        (Some(message), _) => message,
        (None, Some(behind)) => behind,
        (None, None) => format!("the provider answered with status {status}").into(),
    };
    let code = code.or_else(|| exception.map(|name| Cow::Owned(name.to_owned())));
    ApiError { kind, status, message, code, param: told.param }
}

/// `true` if `body` tells of an error whatever its status says: an `error`, or MiniMax's `base_resp` with a code.
pub fn tells_error(body: Raw<'_>) -> bool {
    body.members().any(|(key, value)| match key {
        b"error" => !value.is_null(),
        b"base_resp" => is_minimax_error(value),
        _ => false,
    })
}

/// MiniMax answers with code 0 where all is well.
pub(crate) fn is_minimax_error(base_resp: Raw<'_>) -> bool {
    base_resp.first("status_code").and_then(Raw::count).is_some_and(|code| code != 0)
}

/// `ValidationException:http://…` is a `ValidationException`.
fn exception_name(header: &str) -> &str {
    header.split([':', '#']).next().unwrap_or(header).trim()
}

/// The JSON of the first event in a body that is a stream of them: some refuse one who asks for a stream so.
fn event_data(body: &[u8]) -> Option<Raw<'_>> {
    let mut lines = body.split(|byte| *byte == b'\n');
    lines.find_map(|line| Raw::checked(line.strip_prefix(b"data:")?.trim_ascii()))
}

fn plain_text(body: &[u8]) -> Cow<'_, str> {
    let text = body.trim_ascii();
    String::from_utf8_lossy(&text[..text.len().min(MOST_TEXT)])
}

impl<'a> Told<'a> {
    fn take(&mut self, json: Raw<'a>) {
        match json.kind {
            Kind::String => self.message = json.text(),
            // Gemini wraps the errors of its unframed streams.
            Kind::Array => json.elements().take(1).for_each(|first| self.take(first)),
            Kind::Object => json.members().for_each(|(key, value)| self.member(key, value)),
            Kind::Number | Kind::Bool | Kind::Null => {}
        }
    }

    /// Members of the body and of its `error` object alike; what stands in `error` counts more.
    fn member(&mut self, key: &'a [u8], value: Raw<'a>) {
        let text = value.text();
        match key {
            b"error" if value.is_object() => {
                self.is_nested = true;
                value.members().for_each(|(key, value)| self.member(key, value));
            }
            // OpenAI's Responses tell a failed answer so.
            b"response" if value.is_object() => value.members().for_each(|(key, value)| self.member(key, value)),
            b"error" if text.is_some() => self.message = text,
            // Mistral, and all that is built on FastAPI, tell each field that is wrong.
            b"detail" if value.kind == Kind::Array => self.message = faults(value).or(self.message.take()),
            b"message" | b"Message" | b"detail" | b"msg" => self.message = text.or(self.message.take()),
            b"code" | b"status_code" => self.take_code(value),
            b"type" | b"__type" if text.as_deref() != Some("error") => self.kind = text.or(self.kind.take()),
            b"status" => self.status = text.or(self.status.take()),
            b"param" => self.param = text.or(self.param.take()),
            b"innererror" => self.reason = value.first("code").and_then(Raw::text).or(self.reason.take()),
            b"details" => {
                let mut reasons = value.elements().filter_map(|detail| detail.first("reason")?.text());
                self.reason = reasons.next().or(self.reason.take());
            }
            b"metadata" => {
                self.behind = value.first("raw").and_then(Raw::text);
                self.is_flagged = value.first("reasons").is_some_and(|reasons| reasons.elements().next().is_some());
            }
            b"base_resp" => {
                self.minimax = value.first("status_code").and_then(Raw::count);
                self.message = value.first("status_msg").and_then(Raw::text).or(self.message.take());
            }
            _ => {}
        }
    }

    fn take_code(&mut self, value: Raw<'a>) {
        let text = value.text().filter(|text| !text.is_empty());
        self.number = value.count().or_else(|| text.as_ref()?.parse().ok()).or(self.number);
        self.code = text.filter(|text| text.parse::<u64>().is_err()).or(self.code.take());
    }

    /// An error may come with a status of success, or inside a stream, and name the status it would have had.
    fn status_or(&self, status: u16) -> u16 {
        let named = self.number.and_then(|number| u16::try_from(number).ok()).filter(|code| (400..600).contains(code));
        match status {
            400.. => status,
            _ => named.unwrap_or(status),
        }
    }

    fn meaning(&self, dialect: Dialect, exception: Option<&str>, status: u16) -> ErrorKind {
        if let Some(code) = self.minimax {
            return meaning::of_minimax_code(code);
        }
        if self.is_flagged {
            return ErrorKind::ContentFiltered;
        }
        let words =
            [self.code.as_deref(), self.reason.as_deref(), exception, self.kind.as_deref(), self.status.as_deref()];
        // `server_error` says less than a status that tells of overload or of time.
        let tells = |kind: &ErrorKind| *kind != ErrorKind::Upstream || !matches!(status, 503 | 504 | 529);
        let by_word = words.into_iter().flatten().find_map(meaning::of_word).filter(tells);
        let zhipu = self.number.filter(|_| self.is_nested && dialect == Dialect::OpenAiChat);
        let by_number = zhipu.and_then(meaning::of_zhipu_code);
        let message = self.message.as_deref().unwrap_or_default();
        // Google says of every limit that a quota is exceeded, also of those that pass within a minute.
        let speaks = by_word != Some(ErrorKind::RateLimited);
        let by_message = meaning::of_message(status, message).filter(|_| speaks);
        by_number
            .or_else(|| by_message.filter(|_| by_word.is_none_or(is_vague)))
            .or(by_word)
            .unwrap_or_else(|| meaning::of_status(status))
    }
}

/// What is wrong with each field: `body.messages: Field required; …`.
fn faults(detail: Raw<'_>) -> Option<Cow<'_, str>> {
    let mut told = String::new();
    for fault in detail.elements() {
        let Some(message) = fault.first("msg").and_then(Raw::text) else { continue };
        let place = fault.first("loc").into_iter().flat_map(Raw::elements);
        let place = place.map(|step| step.text().unwrap_or_else(|| String::from_utf8_lossy(step.bytes)));
        let place = place.collect::<Vec<_>>().join(".");
        let (space, colon) = (if told.is_empty() { "" } else { "; " }, if place.is_empty() { "" } else { ": " });
        told.push_str(&format!("{space}{place}{colon}{message}"));
        if told.len() > MOST_TEXT {
            break;
        }
    }
    (!told.is_empty()).then(|| told.into())
}

/// Words that providers use for more than they say.
fn is_vague(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::PermissionDenied | ErrorKind::RequestTooLarge | ErrorKind::Upstream)
}
