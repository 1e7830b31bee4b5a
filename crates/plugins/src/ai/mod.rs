//! Plugins for LLM traffic.

pub(crate) mod ai_proxy;
