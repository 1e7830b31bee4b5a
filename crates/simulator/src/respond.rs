//! From what a handler has to say to a response: the head, and a body that is late, spoilt or
//! cut where a script says so.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, Response, Version};
use tokio::time::sleep_until;

use crate::body::{Delivery, Event, Events, Kind, Reply, Schedule, break_json};
use crate::directives::{Directives, Place};
use crate::journal::Visit;
use crate::service::{Content, Exchange, Outcome};

/// Where Bedrock counts a request's tokens.
const COUNTED: HeaderName = HeaderName::from_static("x-amzn-bedrock-input-token-count");

/// Waits until the answer's head is due, and makes it. `seed` is for the jitter of a stream.
pub(crate) async fn respond(exchange: Exchange, outcome: Outcome, seed: u64, mut visit: Visit) -> Response<Reply> {
    let Exchange { head, directives, arrived, .. } = exchange;
    let Outcome { status, content_type, headers, content, pace, counted } = outcome;
    visit.status(status);
    let is_whole = matches!(content, Content::Whole(_));
    if !pace.is_immediate() && (is_whole || directives.late_head) {
        sleep_until(arrived + pace.ttft).await;
    }
    let schedule = Schedule { pace, start: arrived, seed };
    let mut cut_length = None;
    let reply = match content {
        Content::Stream(events, error_event) => {
            Reply::Stream(Box::new(Delivery::new(events, error_event, &directives, schedule, visit)))
        }
        Content::Whole(bytes) => {
            let spoilt = directives.malformed == Some(Place::Anywhere);
            let bytes = if spoilt { break_json(&bytes) } else { bytes };
            if bytes.is_empty() || head.method == Method::HEAD {
                // hyper asks for no frame of a body that it does not send.
                visit.complete();
                Reply::Whole { bytes, visit }
            } else if directives.cut == Some(Place::Anywhere) {
                cut_length = Some(bytes.len());
                let half = bytes.slice(..bytes.len().div_ceil(2));
                Reply::Stream(Box::new(Delivery::new(single(half), Bytes::new(), &directives, schedule, visit)))
            } else {
                Reply::Whole { bytes, visit }
            }
        }
    };
    let mut response = Response::new(reply);
    *response.status_mut() = status;
    response.headers_mut().extend(headers);
    set_headers(response.headers_mut(), &directives, content_type, head.version);
    if let Some(tokens) = counted {
        response.headers_mut().insert(COUNTED, HeaderValue::from(tokens));
    }
    if let Some(length) = cut_length {
        // What is promised and not kept: without it the cut would look like an end.
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}

fn single(bytes: Bytes) -> Events {
    Box::new(std::iter::once(Event { bytes, kind: Kind::Frame }))
}

fn set_headers(headers: &mut HeaderMap, directives: &Directives, content_type: Option<HeaderValue>, version: Version) {
    if let Some(content_type) = content_type {
        headers.insert(CONTENT_TYPE, content_type);
    }
    if let Some(retry_after) = &directives.retry_after {
        headers.insert(RETRY_AFTER, retry_after.clone());
    }
    if directives.close_after && version < Version::HTTP_2 {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    for (name, value) in &directives.headers {
        headers.append(name, value.clone());
    }
}
