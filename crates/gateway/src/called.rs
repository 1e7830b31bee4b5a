//! Who was called for a request, as lines of the log about failures name it: without paths and queries, in which keys
//! may stand. Made where a line is written, so that a request that goes well pays nothing for it.

use std::fmt;

use crate::exchange::Exchange;

/// Shows the route, the configured provider if there is one, and the address of the last attempt.
#[derive(Clone, Copy)]
pub(crate) struct Called<'e>(pub &'e Exchange);

impl fmt::Display for Called<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(exchange) = self;
        match &exchange.route {
            Some(matched) => write!(f, "route {}", matched.route.id)?,
            None => f.write_str("no route")?,
        }
        if let Some(call) = exchange.llm.as_ref().filter(|call| !call.instance.is_empty()) {
            write!(f, ", {}", call.instance)?;
        }
        match exchange.settlement.attempts.last() {
            Some(attempt) => write!(f, ", {}", attempt.address),
            None => Ok(()),
        }
    }
}
