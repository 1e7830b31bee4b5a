//! Answers that a filter has cut, for clients of Anthropic at providers of OpenAI's chat dialect: they end normally
//! there, as APISIX's converter tells them. In all other pairs the client's dialect has its own word.

use crate::dialect::{ClientDialect, Dialect, ProviderDialect};
use crate::model::{Stop, StopReason};

/// What a filter has cut ends normally between these.
pub(super) fn is_an_end(provider: ProviderDialect, client: ClientDialect) -> bool {
    let pair = (provider.dialect(), client.dialect());
    pair == (Some(Dialect::OpenAiChat), Some(Dialect::Anthropic))
}

/// Makes a normal end of `stop` if a filter was its reason.
pub(super) fn end(stop: &mut Stop<'_>) {
    if stop.reason == StopReason::ContentFilter {
        stop.reason = StopReason::End;
    }
}
