//! How the model shall think and sample: fields that Anthropic accepts only in some combinations.
//!
//! A request of this dialect passes as it is. For one of another, the plan keeps what the client needs most: a limit of
//! tokens and a forced tool stand, thinking gives way, and sampling gives way to thinking. Called by the writer
//! before it writes anything.

use crate::dialect::anthropic::generation::Generation;
use crate::dialect::{Dialect, Origin};
use crate::json::ObjectWriter;
use crate::model::{Effort, Feature, Losses, PartBody, ReasoningRequest, Request, Role, ToolChoice};

/// Anthropic demands a limit; this one stands in where the client gives none. A budget of thought comes on top.
const DEFAULT_MAX_TOKENS: u64 = 4096;

/// Anthropic refuses smaller budgets.
const LEAST_BUDGET: u64 = 1024;

/// While the model thinks, `top_p` may not be smaller.
const LEAST_TOP_P_THINKING: f64 = 0.95;

/// What becomes of the request's wishes.
#[derive(Debug)]
pub(in crate::dialect) struct Plan<'r> {
    pub thinking: Thinking,
    /// `thinking.display`.
    pub display: Option<&'r str>,
    /// `output_config.effort`.
    pub effort: Option<&'r str>,
    pub max_tokens: u64,
    pub temperature: Option<&'r [u8]>,
    pub top_p: Option<&'r [u8]>,
    pub top_k: Option<&'r [u8]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dialect) enum Thinking {
    /// Nothing is said of it.
    Unsaid,
    Disabled,
    Adaptive,
    Budget(u64),
}

impl<'r> Plan<'r> {
    pub(in crate::dialect) fn of(request: &'r Request<'_>, losses: &mut Losses) -> Self {
        let mut plan = Plan {
            thinking: Thinking::Unsaid,
            display: None,
            effort: None,
            max_tokens: request.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS),
            temperature: request.temperature.as_ref().map(|value| value.bytes()),
            top_p: request.top_p.as_ref().map(|value| value.bytes()),
            top_k: request.top_k.as_ref().map(|value| value.bytes()),
        };
        let generation = Generation::of(request.model.as_deref().unwrap_or_default());
        match Origin::of(request.dialect, Dialect::Anthropic) {
            Origin::Own => plan.repeat(request, losses),
            Origin::Foreign => {
                if let Some(reasoning) = &request.reasoning {
                    plan.fit_thinking(request, reasoning, generation, losses);
                }
                plan.fit_sampling(request, generation, losses);
            }
        }
        plan
    }

    /// As the client said it; but where thoughts of its conversation have been left out, it
    /// cannot think on after calls.
    fn repeat(&mut self, request: &'r Request<'_>, losses: &mut Losses) {
        let Some(reasoning) = &request.reasoning else { return };
        if reasoning.budget_tokens.is_some() && losses.lost(Feature::ReasoningSignature) && continues_unsigned(request)
        {
            return losses.lose(Feature::ReasoningEffort);
        }
        self.thinking = match (reasoning.enabled, reasoning.budget_tokens) {
            (Some(false), _) => Thinking::Disabled,
            (Some(true), None) => Thinking::Adaptive,
            (_, Some(budget)) => Thinking::Budget(budget),
            (None, None) => Thinking::Unsaid,
        };
        self.display = reasoning.show.as_deref();
        self.effort = reasoning.effort.as_ref().map(|effort| effort.0.as_ref());
    }

    fn fit_thinking(
        &mut self,
        request: &'r Request<'_>,
        reasoning: &'r ReasoningRequest<'_>,
        generation: Generation,
        losses: &mut Losses,
    ) {
        let wants_none = reasoning.effort.as_ref().is_some_and(|effort| effort.budget() == 0);
        let said_nothing = reasoning.enabled.is_none() && reasoning.effort.is_none();
        if reasoning.enabled == Some(false) || wants_none || reasoning.budget_tokens == Some(0) {
            self.thinking = Thinking::Disabled;
            return;
        }
        if said_nothing && reasoning.budget_tokens.is_none() {
            return;
        }
        let counts = reasoning.budget_tokens.is_some() && generation.takes_budget();
        if generation.adapts() && !counts {
            self.adapt(reasoning, generation);
        } else {
            self.spend(request, reasoning, losses);
        }
    }

    /// Thinking by effort.
    fn adapt(&mut self, reasoning: &'r ReasoningRequest<'_>, generation: Generation) {
        let effort = match (&reasoning.effort, reasoning.budget_tokens) {
            (Some(effort), _) => Some(effort.0.as_ref()),
            (None, Some(budget)) => Some(word_of(budget)),
            (None, None) => None,
        };
        self.thinking = Thinking::Adaptive;
        self.display = reasoning.show.as_ref().filter(|_| generation.hides_thoughts()).map(|_| "summarized");
        self.effort = effort.map(|effort| match effort {
            "minimal" => "low",
            "xhigh" if !generation.knows_xhigh() => "high",
            "low" | "medium" | "high" | "xhigh" | "max" => effort,
            _ => "medium",
        });
    }

    /// Thinking by a budget, which must be less than the limit of output tokens. Half of that is left for the answer,
    /// unless the client has counted itself.
    fn spend(&mut self, request: &Request<'_>, reasoning: &ReasoningRequest<'_>, losses: &mut Losses) {
        let medium = Effort("medium".into());
        let by_effort = || reasoning.effort.as_ref().unwrap_or(&medium).budget();
        let wanted = reasoning.budget_tokens.unwrap_or_else(by_effort).max(LEAST_BUDGET);
        let limit = request.max_tokens.unwrap_or_else(|| wanted.saturating_add(DEFAULT_MAX_TOKENS));
        let most = match reasoning.budget_tokens {
            Some(counted) if counted < limit => counted.max(LEAST_BUDGET),
            Some(_) | None => (limit / 2).max(LEAST_BUDGET),
        };
        let budget = wanted.min(most).min(limit.saturating_sub(1));
        if budget < LEAST_BUDGET || forces_tool(request) || continues_unsigned(request) {
            losses.lose(Feature::ReasoningEffort);
            return;
        }
        self.max_tokens = limit;
        self.thinking = Thinking::Budget(budget);
    }

    fn fit_sampling(&mut self, request: &Request<'_>, generation: Generation, losses: &mut Losses) {
        let thinks = matches!(self.thinking, Thinking::Adaptive | Thinking::Budget(_));
        let temperature = request.temperature.as_ref().and_then(|value| value.number());
        let top_p = request.top_p.as_ref().and_then(|value| value.number());
        let is_default = |value: f64| value == 1.0;
        if let Some(number) = temperature {
            if number > 1.0 {
                self.temperature = Some(b"1");
                losses.lose(Feature::HighTemperature);
            } else if (thinks || !generation.samples()) && !is_default(number) {
                losses.lose(Feature::HighTemperature);
            }
        }
        if thinks || !generation.samples() {
            self.temperature = None;
        }
        if self.top_k.is_some() && (thinks || !generation.samples()) {
            self.top_k = None;
            losses.lose(Feature::TopK);
        }
        if let Some(number) = top_p {
            // Later models take either of the two, so the commoner one stays.
            let clashes = (self.temperature.is_some() && !generation.takes_both()) || !generation.samples();
            if clashes || (thinks && number < LEAST_TOP_P_THINKING) || is_default(number) {
                self.top_p = None;
                if !is_default(number) {
                    losses.lose(Feature::TopP);
                }
            }
        }
    }

    /// Appends `thinking`.
    pub(in crate::dialect) fn write_thinking(&self, body: &mut ObjectWriter<'_>) {
        let (kind, budget) = match self.thinking {
            Thinking::Unsaid => return,
            Thinking::Disabled => ("disabled", None),
            Thinking::Adaptive => ("adaptive", None),
            Thinking::Budget(tokens) => ("enabled", Some(tokens)),
        };
        let mut thinking = body.object("thinking");
        thinking.string("type", kind);
        if let Some(tokens) = budget {
            thinking.number("budget_tokens", tokens);
        }
        thinking.maybe_string("display", self.display);
    }
}

/// The effort that stands for a budget.
fn word_of(budget: u64) -> &'static str {
    match budget {
        32_768.. => "max",
        16_384.. => "xhigh",
        4096.. => "high",
        2048.. => "medium",
        _ => "low",
    }
}

/// Such a choice is refused beside a budget.
fn forces_tool(request: &Request<'_>) -> bool {
    let forces = match &request.tool_choice {
        Some(ToolChoice::Required | ToolChoice::Function(_)) => true,
        Some(ToolChoice::Allowed { required, .. }) => *required,
        None | Some(ToolChoice::Auto | ToolChoice::None | ToolChoice::Opaque(_)) => false,
    };
    forces && !request.tools.is_empty()
}

/// The conversation stands within a loop of tool calls that began without signed thoughts: thinking with a
/// budget cannot begin there.
fn continues_unsigned(request: &Request<'_>) -> bool {
    let last = request.turns.iter().rev().find(|turn| turn.role == Role::Assistant);
    let Some(last) = last else { return false };
    let signed = |body: &PartBody<'_>| match body {
        PartBody::Reasoning(reasoning) => reasoning.signature.is_some() || reasoning.encrypted.is_some(),
        _ => false,
    };
    let calls = last.parts.iter().any(|part| matches!(part.body, PartBody::ToolCall(_)));
    calls && !last.parts.iter().any(|part| signed(&part.body))
}
