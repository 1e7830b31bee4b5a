//! Variables of LLM requests. On other requests they have APISIX's defaults, which are texts; set ones are numbers.

use std::time::Duration;

use config::vars::Var;

use super::{borrowed, optional};
use crate::exchange::Exchange;
use crate::inference::LlmCall;

pub(super) fn var<'e>(exchange: &'e Exchange, name: &str) -> Option<Var<'e>> {
    let call = exchange.llm.as_deref();
    Some(match name {
        "request_type" => borrowed(call.map_or("traditional_http", LlmCall::request_type)),
        "request_llm_model" => borrowed(call.map_or("", |call| &call.request_model)),
        "apisix_upstream_response_time" => match call {
            Some(call) => milliseconds(call.provider_time),
            None => return super::served::var(exchange, "upstream_response_time"),
        },
        name => return name.strip_prefix("llm_").map(|fact| of_call(call, fact)),
    })
}

fn of_call<'e>(call: Option<&'e LlmCall>, fact: &str) -> Var<'e> {
    let usage = call.and_then(|call| call.usage.as_ref());
    let tokens = |count: fn(&llm::Usage) -> u64| usage.map_or(borrowed("0"), |usage| Var::Number(count(usage) as f64));
    match fact {
        "model" => borrowed(call.map_or("", |call| &call.model)),
        "time_to_first_token" => {
            call.and_then(|call| call.time_to_first_token).map_or(borrowed("0"), |time| milliseconds(Some(time)))
        }
        "prompt_tokens" => tokens(|usage| usage.prompt),
        "completion_tokens" => tokens(|usage| usage.completion),
        "total_tokens" => tokens(|usage| usage.total),
        "cache_read_input_tokens" => tokens(|usage| usage.cached),
        "cache_creation_input_tokens" => tokens(|usage| usage.cache_creation),
        "reasoning_tokens" => tokens(|usage| usage.reasoning),
        "stream" => borrowed(flag(call.is_some_and(|call| call.stream))),
        "has_tool_calls" => borrowed(flag(call.is_some_and(|call| call.has_tool_calls))),
        "tool_count" => call.map_or(borrowed("0"), |call| Var::Number(call.tool_count as f64)),
        "end_user_id" => borrowed(call.and_then(|call| call.end_user.as_deref()).unwrap_or("")),
        "content_risk_level" => borrowed(""),
        // Not APISIX's.
        "protocol" => borrowed(call.map_or("", |call| call.protocol.as_str())),
        "usage_estimated" => borrowed(flag(usage.is_some_and(|usage| usage.estimated))),
        "tokens_per_second" => call.and_then(LlmCall::tokens_per_second).map_or(Var::Nil, Var::Number),
        "finish_reason" => optional(call.and_then(|call| call.finish_reason.as_deref())),
        _ => Var::Nil,
    }
}

fn flag(flag: bool) -> &'static str {
    if flag { "true" } else { "false" }
}

/// Whole milliseconds.
fn milliseconds(time: Option<Duration>) -> Var<'static> {
    time.map_or(Var::Nil, |time| Var::Number(time.as_millis() as f64))
}
