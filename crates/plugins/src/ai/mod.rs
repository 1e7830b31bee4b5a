//! Plugins for LLM traffic.

pub(crate) mod ai_proxy;
pub(crate) mod ai_request_rewrite;
mod provider_name;
