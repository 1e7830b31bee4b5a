//! Headers that tell how much may still be asked, and when to ask again, in the forms of the
//! providers and of the dialects.
//!
//! Invariant: pure functions over names and values; the time is given, times of reset are kept as spans from it. What a
//! provider does not tell is not made up. Used by the data plane on answers and on errors alike.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::rfc3339;
use crate::dialect::Dialect;

/// What is left of one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RateLimit {
    /// So much is allowed per window.
    pub limit: Option<u64>,
    pub remaining: Option<u64>,
    /// From now until all of it is allowed again.
    pub reset: Option<Duration>,
}

/// What an answer's headers tell of limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RateLimits {
    pub requests: RateLimit,
    pub tokens: RateLimit,
    /// From now until it makes sense to try again. Anthropic tells it on good answers too: it is no sign of throttling.
    pub retry_after: Option<Duration>,
}

impl RateLimits {
    /// Reads headers of any provider; names in any letter case.
    pub fn read<'h>(headers: impl IntoIterator<Item = (&'h str, &'h str)>, now: SystemTime) -> Self {
        let mut limits = Self::default();
        let mut exact_retry = None;
        let mut input = RateLimit::default();
        for (name, value) in headers {
            let name = name.to_ascii_lowercase();
            match name.as_str() {
                "retry-after" => limits.retry_after = read_retry_after(value, now),
                "retry-after-ms" => exact_retry = read_number(value).map(|count| count / 1000.0).and_then(seconds),
                _ => limits.take(&name, value, now, &mut input),
            }
        }
        if limits.tokens == RateLimit::default() {
            limits.tokens = input;
        }
        limits.retry_after = exact_retry.or(limits.retry_after);
        limits
    }

    /// Anthropic's limit of input stands by itself, for one of both kinds counts more.
    fn take(&mut self, name: &str, value: &str, now: SystemTime, input: &mut RateLimit) {
        let Some((measure, field)) = parse_name(name) else { return };
        let limit = match measure {
            Measure::Requests => &mut self.requests,
            Measure::Tokens => &mut self.tokens,
            Measure::InputTokens => input,
        };
        match field {
            Field::Limit => limit.limit = value.trim().parse().ok().or(limit.limit),
            Field::Remaining => limit.remaining = value.trim().parse().ok().or(limit.remaining),
            Field::Reset => limit.reset = read_reset(value, now).or(limit.reset),
        }
    }

    /// The headers that tell the same to clients of `client`.
    pub fn headers(&self, client: Dialect, now: SystemTime) -> Vec<(&'static str, String)> {
        let mut headers = Vec::new();
        let names = match client {
            Dialect::OpenAiChat | Dialect::OpenAiResponses => Some((OPENAI_REQUESTS, OPENAI_TOKENS)),
            Dialect::Anthropic => Some((ANTHROPIC_REQUESTS, ANTHROPIC_TOKENS)),
            Dialect::Gemini | Dialect::BedrockConverse | Dialect::Cohere => None,
        };
        if let Some((requests, tokens)) = names {
            for (limit, [limit_name, remaining_name, reset_name]) in
                [(&self.requests, requests), (&self.tokens, tokens)]
            {
                headers.extend(limit.limit.map(|count| (limit_name, count.to_string())));
                headers.extend(limit.remaining.map(|count| (remaining_name, count.to_string())));
                headers.extend(limit.reset.map(|span| match client {
                    Dialect::Anthropic => (reset_name, rfc3339::write(now + span)),
                    Dialect::OpenAiChat
                    | Dialect::OpenAiResponses
                    | Dialect::Gemini
                    | Dialect::BedrockConverse
                    | Dialect::Cohere => (reset_name, write_span(span)),
                }));
            }
        }
        headers.extend(self.retry_after.map(|span| ("retry-after", ceil_seconds(span).to_string())));
        headers
    }
}

/// Names for limit, remainder and reset.
type Names = [&'static str; 3];

const OPENAI_REQUESTS: Names =
    ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"];
const OPENAI_TOKENS: Names = ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"];
const ANTHROPIC_REQUESTS: Names = [
    "anthropic-ratelimit-requests-limit",
    "anthropic-ratelimit-requests-remaining",
    "anthropic-ratelimit-requests-reset",
];
const ANTHROPIC_TOKENS: Names =
    ["anthropic-ratelimit-tokens-limit", "anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"];

#[derive(Debug, Clone, Copy)]
enum Measure {
    Requests,
    Tokens,
    InputTokens,
}

#[derive(Debug, Clone, Copy)]
enum Field {
    Limit,
    Remaining,
    Reset,
}

/// What a header of limits tells; `None` for others, and for windows as long as a month.
fn parse_name(name: &str) -> Option<(Measure, Field)> {
    if let Some(rest) = name.strip_prefix("anthropic-ratelimit-") {
        let (measure, field) = rest.rsplit_once('-')?;
        let measure = match measure {
            "requests" => Measure::Requests,
            "tokens" => Measure::Tokens,
            "input-tokens" => Measure::InputTokens,
            _ => return None,
        };
        return Some((measure, parse_field(field)?));
    }
    // Together counts tokens under a name of its own.
    if let Some(field) = name.strip_prefix("x-tokenlimit-") {
        return Some((Measure::Tokens, parse_field(field)?));
    }
    let rest = name.strip_prefix("x-ratelimit-").or_else(|| name.strip_prefix("ratelimit-"))?;
    let (field, measure) = rest.split_once('-').unwrap_or((rest, "requests"));
    let measure = match measure {
        "requests" => Measure::Requests,
        "tokens" | "tokens-minute" => Measure::Tokens,
        // Mistral names the window: `req-10-second`, `req-minute`.
        window if window.starts_with("req-") => Measure::Requests,
        _ => return None,
    };
    Some((measure, parse_field(field)?))
}

fn parse_field(name: &str) -> Option<Field> {
    match name {
        "limit" => Some(Field::Limit),
        "remaining" => Some(Field::Remaining),
        "reset" => Some(Field::Reset),
        _ => None,
    }
}

/// A span (`8.64s`, `1m2s`, `5ms`), seconds, a time as RFC 3339, or as seconds or milliseconds since 1970.
fn read_reset(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Some(number) = read_number(value) {
        return match number {
            number if number >= 1e12 => until(UNIX_EPOCH + seconds(number / 1000.0)?, now),
            number if number >= 1e9 => until(UNIX_EPOCH + seconds(number)?, now),
            number => seconds(number),
        };
    }
    read_span(value).or_else(|| until(rfc3339::read(value)?, now))
}

/// Seconds, or a date of HTTP.
fn read_retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    match read_number(value) {
        Some(number) => seconds(number),
        None => until(httpdate::parse_http_date(value).ok()?, now),
    }
}

fn until(time: SystemTime, now: SystemTime) -> Option<Duration> {
    Some(time.duration_since(now).unwrap_or_default())
}

fn read_number(value: &str) -> Option<f64> {
    value.trim().parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0)
}

/// A century is as good as forever.
fn seconds(count: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(count.min(4e9)).ok()
}

/// A span in Go's form: numbers, each with its unit.
fn read_span(value: &str) -> Option<Duration> {
    let mut total = 0.0;
    let mut rest = value;
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let number = read_number(&rest[..digits])?;
        let tail = &rest[digits..];
        let unit = tail.find(|character: char| character.is_ascii_digit()).unwrap_or(tail.len());
        total += number
            * match &tail[..unit] {
                "d" => 86_400.0,
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "us" | "µs" => 1e-6,
                "ns" => 1e-9,
                _ => return None,
            };
        rest = &tail[unit..];
    }
    (!value.is_empty()).then(|| seconds(total))?
}

/// As OpenAI writes it: `120ms`, `8.64s`, `1m2s`, `6h0m0s`.
fn write_span(span: Duration) -> String {
    let millis = span.as_nanos().div_ceil(1_000_000);
    if millis < 1000 {
        return if millis == 0 { "0s".to_owned() } else { format!("{millis}ms") };
    }
    let (minutes, millis) = (millis / 60_000, millis % 60_000);
    let second = match millis % 1000 {
        0 => format!("{}s", millis / 1000),
        fraction => format!("{}.{fraction:03}", millis / 1000).trim_end_matches('0').to_owned() + "s",
    };
    match (minutes / 60, minutes % 60) {
        (0, 0) => second,
        (0, minutes) => format!("{minutes}m{second}"),
        (hours, minutes) => format!("{hours}h{minutes}m{second}"),
    }
}

fn ceil_seconds(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}
