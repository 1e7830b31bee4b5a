//! The headers that tell a client about its quota.

use gateway::exchange::Exchange;
use http::header::{HeaderName, HeaderValue};
use limits::Decision;

use super::settings::Metadata;
use crate::header_change::settable;

/// The names of one rule's headers.
pub(super) struct HeaderNames {
    limit: HeaderName,
    remaining: HeaderName,
    reset: HeaderName,
}

impl HeaderNames {
    /// The names for a configuration without `rules`.
    pub fn from_metadata(metadata: &Metadata) -> Result<Self, String> {
        Self::new(&metadata.limit_header, &metadata.remaining_header, &metadata.reset_header)
    }

    /// `X-{prefix}-RateLimit-…`.
    pub fn with_prefix(prefix: &str) -> Result<Self, String> {
        let name = |what: &str| format!("X-{prefix}-RateLimit-{what}");
        Self::new(&name("Limit"), &name("Remaining"), &name("Reset"))
    }

    fn new(limit: &str, remaining: &str, reset: &str) -> Result<Self, String> {
        Ok(Self { limit: settable(limit)?, remaining: settable(remaining)?, reset: settable(reset)? })
    }

    /// Puts `decision` on the response.
    pub fn set(&self, exchange: &mut Exchange, decision: &Decision) {
        exchange.set_response_header(self.limit.clone(), HeaderValue::from(decision.limit));
        exchange.set_response_header(self.remaining.clone(), HeaderValue::from(decision.remaining));
        if let Ok(reset) = HeaderValue::from_str(Seconds::new(decision.reset).as_str()) {
            exchange.set_response_header(self.reset.clone(), reset);
        }
    }
}

/// Seconds as APISIX prints them: at most two decimals, no zeros at the end. Lives on the stack.
pub(super) struct Seconds {
    text: [u8; Self::LONGEST],
    length: usize,
}

impl Seconds {
    /// The digits of a `u64`, a point and two more.
    const LONGEST: usize = 23;

    /// Rounded to hundredths; what is negative or no number is 0.
    pub fn new(seconds: f64) -> Self {
        let hundredths = (seconds * 100.0).round() as u64;
        let mut seconds = Self { text: [0; Self::LONGEST], length: 0 };
        seconds.push(itoa::Buffer::new().format(hundredths / 100).as_bytes());
        let (tenth, hundredth) = ((hundredths / 10 % 10) as u8, (hundredths % 10) as u8);
        match (tenth, hundredth) {
            (0, 0) => {}
            (tenth, 0) => seconds.push(&[b'.', b'0' + tenth]),
            (tenth, hundredth) => seconds.push(&[b'.', b'0' + tenth, b'0' + hundredth]),
        }
        seconds
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.text[..self.length]).unwrap_or("0")
    }

    fn push(&mut self, more: &[u8]) {
        self.text[self.length..self.length + more.len()].copy_from_slice(more);
        self.length += more.len();
    }
}
