//! Plain endpoints, without any dialect, for tests of proxying.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::json;

use crate::body::{Event, Kind};
use crate::dialect::Refusal;
use crate::dialect::wire::to_json;
use crate::directives::Pace;
use crate::journal::headers_json;
use crate::service::{Content, Exchange, Outcome, TEXT};

const PIECE: usize = 64 * 1024;
const MOST_BYTES: u64 = 16 << 30;

static LETTERS: [u8; PIECE] = letters();

const fn letters() -> [u8; PIECE] {
    let mut bytes = [0; PIECE];
    let mut index = 0;
    while index < PIECE {
        bytes[index] = b'a' + (index % 26) as u8;
        index += 1;
    }
    bytes
}

/// Answers a path that belongs to no dialect.
pub(crate) fn answer(exchange: &Exchange) -> Result<Outcome, Refusal> {
    let path = exchange.head.uri.path();
    if path == "/echo" || path.starts_with("/echo/") {
        return Ok(echo(exchange));
    }
    if let Some(count) = path.strip_prefix("/bytes/") {
        return bytes(count, &exchange.head.method);
    }
    if let Some(status) = path.strip_prefix("/status/") {
        let status: StatusCode = status.parse().map_err(|_| Refusal::bad("/status/{code}: 100..999"))?;
        return Ok(Outcome { status, ..Outcome::of(None, Content::Whole(Bytes::new())) });
    }
    let query = Query::read(exchange.head.uri.query().unwrap_or_default());
    match path {
        "/slow" => {
            let pace = Pace { ttft: Duration::from_millis(query.number("ms", 1000)?), ..Pace::default() };
            Ok(Outcome { pace, ..ok() })
        }
        "/stream" => stream(&query),
        "/" | "/health" | "/healthz" => Ok(ok()),
        _ => Err(Refusal::new(StatusCode::NOT_FOUND, format!("Invalid URL ({} {path})", exchange.head.method))),
    }
}

fn ok() -> Outcome {
    Outcome::whole(TEXT, Bytes::from_static(b"ok\n"))
}

fn echo(exchange: &Exchange) -> Outcome {
    let head = &exchange.head;
    Outcome::json(to_json(&json!({
        "method": head.method.as_str(),
        "path": head.uri.path(),
        "query": head.uri.query(),
        "version": format!("{:?}", head.version),
        "headers": headers_json(&head.headers),
        "body": String::from_utf8_lossy(&exchange.body),
    })))
}

fn bytes(count: &str, method: &Method) -> Result<Outcome, Refusal> {
    let count: u64 = match count.parse() {
        Ok(count) if count <= MOST_BYTES => count,
        _ => return Err(Refusal::bad(format!("/bytes/{{n}}: 0..{MOST_BYTES}"))),
    };
    if count <= PIECE as u64 || method == Method::HEAD {
        return Ok(Outcome::whole(TEXT, Bytes::from_static(&LETTERS[..count.min(PIECE as u64) as usize])));
    }
    let mut left = count;
    let pieces = std::iter::from_fn(move || {
        let size = left.min(PIECE as u64) as usize;
        left -= size as u64;
        (size > 0).then(|| Event { bytes: Bytes::from_static(&LETTERS[..size]), kind: Kind::Frame })
    });
    let content = Content::Stream(Box::new(pieces), Bytes::new());
    Ok(Outcome::of(Some(TEXT), content))
}

fn stream(query: &Query) -> Result<Outcome, Refusal> {
    let count = query.number("n", 10)?;
    let interval = Duration::from_millis(query.number("interval_ms", 0)?);
    let chunks = (1..=count).map(|number| Event { bytes: format!("chunk {number}\n").into(), kind: Kind::Token });
    let content = Content::Stream(Box::new(chunks), Bytes::from_static(b"error\n"));
    Ok(Outcome { pace: Pace { interval, ..Pace::default() }, ..Outcome::of(Some(TEXT), content) })
}

struct Query(HashMap<String, String>);

impl Query {
    fn read(query: &str) -> Self {
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        Self(pairs.map(|(name, value)| (decoded(name), decoded(value))).collect())
    }

    fn number(&self, name: &str, default: u64) -> Result<u64, Refusal> {
        match self.0.get(name) {
            None => Ok(default),
            Some(text) => {
                text.parse().map_err(|_| Refusal::bad(format!("query {name}: must be a whole number, got {text:?}")))
            }
        }
    }
}
