//! Who calls: plugins that find the consumer, and plugins that ask whether this consumer may pass. Shared here:
//! how a request is refused for want of a credential, and anonymous access.

pub(crate) mod consumer_restriction;
pub(crate) mod jwt_auth;
pub(crate) mod key_auth;

use gateway::answer::Answer;
use gateway::exchange::Exchange;
use gateway::plugin::Step;
use http::StatusCode;
use http::header::{HeaderValue, WWW_AUTHENTICATE};

/// What a realm may consist of: printable ASCII without `"` and `\`, so that it needs no quoting.
const REALM: &str = r"^[\x20\x21\x23-\x5B\x5D-\x7E]+$";

/// What happens to a request without a valid credential.
struct Refusal {
    challenge: HeaderValue,
    /// The username of the consumer to attach instead of refusing.
    anonymous: Option<Box<str>>,
}

impl Refusal {
    fn new(scheme: &str, realm: &str, anonymous: Option<&str>) -> Result<Self, String> {
        let challenge = HeaderValue::from_str(&format!("{scheme} realm=\"{realm}\""))
            .map_err(|_| format!("realm {realm:?} cannot stand in a header"))?;
        Ok(Self { challenge, anonymous: anonymous.map(Into::into) })
    }

    /// Lets the request pass as the anonymous consumer if there is one, else refuses it with `message`.
    fn apply(&self, exchange: &mut Exchange, message: &str) -> Step<'static> {
        let Some(username) = &self.anonymous else { return Step::Answer(self.answer(message)) };
        match exchange.plan.consumer(username).cloned() {
            Some(consumer) => {
                exchange.attach_consumer(&consumer);
                Step::Next
            }
            None => {
                tracing::warn!(consumer = %username, "anonymous_consumer names a consumer that does not exist");
                Step::Answer(self.answer("Invalid user authorization"))
            }
        }
    }

    fn answer(&self, message: &str) -> Answer {
        Answer::message(StatusCode::UNAUTHORIZED, message).with_header(WWW_AUTHENTICATE, self.challenge.clone())
    }
}
