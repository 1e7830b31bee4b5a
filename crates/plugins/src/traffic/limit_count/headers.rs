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
        if let Some(reset) = Seconds::new(decision.reset).to_header() {
            exchange.set_response_header(self.reset.clone(), reset);
        }
    }
}

/// Seconds as APISIX prints them: at most two decimals, no zeros at the end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seconds {
    hundredths: u64,
}

impl Seconds {
    /// Rounded to hundredths; what is negative or no number is 0.
    pub fn new(seconds: f64) -> Self {
        Self { hundredths: (seconds * 100.0).round() as u64 }
    }

    /// Appends them to `text`.
    pub fn write(self, text: &mut String) {
        text.push_str(itoa::Buffer::new().format(self.hundredths / 100));
        let (tenth, hundredth) = ((self.hundredths / 10 % 10) as u8, (self.hundredths % 10) as u8);
        if (tenth, hundredth) == (0, 0) {
            return;
        }
        text.push('.');
        text.push(char::from(b'0' + tenth));
        if hundredth > 0 {
            text.push(char::from(b'0' + hundredth));
        }
    }

    fn to_header(self) -> Option<HeaderValue> {
        let mut text = String::new();
        self.write(&mut text);
        HeaderValue::try_from(text).ok()
    }
}
