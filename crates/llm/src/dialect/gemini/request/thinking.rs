//! `thinkingConfig`: whether and how much the model thinks.
//!
//! Models of the third generation take a level, earlier ones a number of tokens; either refuses the other's field.
//! Invariant: never both are written.

use crate::json::{ObjectWriter, Raw};
use crate::model::{Effort, Extras, ReasoningRequest, Request};

use super::keep_in;
use crate::dialect::Dialect;

pub(super) fn read<'a>(config: Raw<'a>, extras: &mut Extras<'a>) -> ReasoningRequest<'a> {
    let mut reasoning = ReasoningRequest::default();
    for (key, value) in config.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"includeThoughts" | b"include_thoughts" => reasoning.show = value.is_true().then(|| "auto".into()),
            b"thinkingLevel" | b"thinking_level" => {
                let level = value.text().filter(|level| level != "THINKING_LEVEL_UNSPECIFIED");
                reasoning.effort = level.map(|level| Effort(level.to_ascii_lowercase().into()));
            }
            b"thinkingBudget" | b"thinking_budget" => match value.number() {
                Some(budget) if budget < 0.0 => reasoning.enabled = Some(true),
                Some(0.0) => reasoning.enabled = Some(false),
                _ => reasoning.budget_tokens = value.count(),
            },
            _ => keep_in(extras, "generationConfig.thinkingConfig", key, value),
        }
    }
    reasoning
}

pub(super) fn write(request: &Request<'_>, config: &mut ObjectWriter<'_>) {
    let Some(reasoning) = &request.reasoning else { return };
    if reasoning.show.is_some() || (request.dialect != Dialect::Gemini && reasoning.enabled == Some(true)) {
        config.boolean("includeThoughts", true);
    }
    let model = request.model.as_deref().unwrap_or_default();
    let takes_levels = takes_levels(model) || request.dialect == Dialect::Gemini;
    match reasoning {
        ReasoningRequest { enabled: Some(false), .. } if takes_levels && request.dialect != Dialect::Gemini => {
            config.string("thinkingLevel", level("none", model));
        }
        ReasoningRequest { enabled: Some(false), .. } => config.number("thinkingBudget", 0),
        ReasoningRequest { budget_tokens: Some(budget), effort: None, .. } => config.number("thinkingBudget", *budget),
        ReasoningRequest { effort: Some(Effort(effort)), .. } if takes_levels => {
            config.string("thinkingLevel", level(effort, model));
        }
        ReasoningRequest { budget_tokens: Some(budget), .. } => config.number("thinkingBudget", *budget),
        ReasoningRequest { effort: Some(effort), .. } => config.number("thinkingBudget", effort.budget()),
        // As many as the model sees fit.
        ReasoningRequest { enabled: Some(true), .. } => config.raw("thinkingBudget", b"-1"),
        ReasoningRequest { enabled: None, .. } => {}
    }
}

/// `true` for Gemini 3 and later.
pub(super) fn takes_levels(model: &str) -> bool {
    let Some((_, version)) = model.split_once("gemini-") else { return false };
    let digits = version.len() - version.trim_start_matches(|digit: char| digit.is_ascii_digit()).len();
    version[..digits].parse::<u32>().is_ok_and(|generation| generation >= 3)
}

/// The level for an effort. The larger models of the third generation cannot think less than `LOW`.
fn level(effort: &str, model: &str) -> &'static str {
    match effort {
        "none" | "minimal" if !model.contains("pro") => "MINIMAL",
        "none" | "minimal" | "low" => "LOW",
        "medium" => "MEDIUM",
        _ => "HIGH",
    }
}
