//! What only some families of models know, in `additionalModelRequestFields`: thinking and `top_k`.
//!
//! The family is told by the model's identifier: `us.anthropic.claude-sonnet-4-6`, `amazon.nova-lite-v1:0`,
//! `openai.gpt-oss-120b-1:0`. Invariant: what the family has no field for is told as lost.

use crate::dialect::anthropic::{Plan, Thinking};
use crate::dialect::{BETAS, Dialect, Origin};
use crate::json::{ObjectWriter, Raw, unescape};
use crate::model::{Effort, Feature, Json, Losses, ReasoningRequest, Request};

/// The member of a request that holds these fields.
pub(super) const FIELD: &str = "additionalModelRequestFields";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Anthropic,
    Nova,
    OpenAi,
    Cohere,
    Mistral,
    /// Any other, or an identifier that does not tell (that of an inference profile).
    Other,
}

impl Family {
    fn of(model: &str) -> Self {
        let names = [
            ("claude", Family::Anthropic),
            ("nova", Family::Nova),
            ("openai.", Family::OpenAi),
            ("cohere.", Family::Cohere),
            ("mistral.", Family::Mistral),
        ];
        names.iter().find(|(name, _)| model.contains(name)).map_or(Family::Other, |(_, family)| *family)
    }
}

/// Reads what is known of `fields` into `request` and gives the rest, an object; `None` if nothing is left.
pub(super) fn read<'a>(fields: Raw<'a>, request: &mut Request<'a>) -> Option<Json<'a>> {
    let mut reasoning = ReasoningRequest::default();
    let mut rest = Vec::new();
    let mut others = ObjectWriter::new(&mut rest);
    let mut left = 0;
    for (key, value) in fields.members().filter(|(_, value)| !value.is_null()) {
        let known = match key {
            b"thinking" => read_thinking(value, &mut reasoning),
            b"output_config" => read_effort(value, "effort", &mut reasoning),
            b"reasoning_effort" => value.text().map(|effort| reasoning.effort = Some(Effort(effort))),
            b"reasoningConfig" => read_nova(value, &mut reasoning),
            b"inferenceConfig" => only(value, "topK").map(|top_k| request.top_k = Some(top_k.into())),
            b"top_k" | b"k" => value.number().map(|_| request.top_k = Some(value.into())),
            _ => None,
        };
        if known.is_none() {
            others.raw(&unescape(key), value.bytes);
            left += 1;
        }
    }
    drop(others);
    if reasoning != ReasoningRequest::default() {
        request.reasoning = Some(reasoning);
    }
    (left > 0).then(|| Json::owned(rest))
}

/// The member `name` of an object that has no other.
fn only<'a>(object: Raw<'a>, name: &str) -> Option<Raw<'a>> {
    let mut members = object.members();
    let (key, value) = members.next()?;
    (members.next().is_none() && key == name.as_bytes()).then_some(value)
}

fn read_thinking<'a>(value: Raw<'a>, reasoning: &mut ReasoningRequest<'a>) -> Option<()> {
    let mut read = reasoning.clone();
    for (key, value) in value.members() {
        match key {
            b"type" => read.enabled = Some(value.text()? != "disabled"),
            b"budget_tokens" => read.budget_tokens = value.count(),
            b"display" => read.show = value.text(),
            _ => return None,
        }
    }
    *reasoning = read;
    Some(())
}

fn read_effort<'a>(value: Raw<'a>, name: &str, reasoning: &mut ReasoningRequest<'a>) -> Option<()> {
    reasoning.effort = Some(Effort(only(value, name)?.text()?));
    Some(())
}

fn read_nova<'a>(value: Raw<'a>, reasoning: &mut ReasoningRequest<'a>) -> Option<()> {
    let mut read = reasoning.clone();
    for (key, value) in value.members() {
        match key {
            b"type" => read.enabled = Some(value.text()? != "disabled"),
            b"maxReasoningEffort" => read.effort = Some(Effort(value.text()?)),
            _ => return None,
        }
    }
    *reasoning = read;
    Some(())
}

/// What becomes of the request's wishes: sampling and limits that stand beside thinking.
#[derive(Debug)]
pub(super) struct Wishes<'r> {
    pub max_tokens: Option<u64>,
    pub temperature: Option<&'r [u8]>,
    pub top_p: Option<&'r [u8]>,
    top_k: Option<&'r [u8]>,
    /// The fields of Claude's thinking.
    claude: Option<Plan<'r>>,
    family: Family,
}

impl<'r> Wishes<'r> {
    pub(super) fn of(request: &'r Request<'_>, losses: &mut Losses) -> Self {
        let family = Family::of(request.model.as_deref().unwrap_or_default());
        let mut wishes = Wishes {
            max_tokens: request.max_tokens,
            temperature: request.temperature.as_ref().map(Json::bytes),
            top_p: request.top_p.as_ref().map(Json::bytes),
            top_k: request.top_k.as_ref().map(Json::bytes),
            claude: None,
            family,
        };
        if family == Family::Anthropic {
            wishes.plan_claude(request, losses);
        } else if request.temperature.as_ref().and_then(Json::number).is_some_and(|number| number > 1.0) {
            wishes.temperature = Some(b"1");
            losses.lose(Feature::HighTemperature);
        }
        if family == Family::Other && wishes.top_k.take().is_some() {
            losses.lose(Feature::TopK);
        }
        wishes
    }

    /// Claude's rules are the same here as at Anthropic.
    fn plan_claude(&mut self, request: &'r Request<'_>, losses: &mut Losses) {
        let plan = Plan::of(request, losses);
        let counts = matches!(plan.thinking, Thinking::Budget(_))
            && Origin::of(request.dialect, Dialect::BedrockConverse) == Origin::Foreign;
        self.max_tokens = request.max_tokens.or(counts.then_some(plan.max_tokens));
        (self.temperature, self.top_p, self.top_k) = (plan.temperature, plan.top_p, plan.top_k);
        self.claude = Some(plan);
    }

    /// Appends the family's fields, and those that a client of this dialect has said beside them.
    pub(super) fn write(&self, request: &Request<'_>, losses: &mut Losses, body: &mut ObjectWriter<'_>) {
        let mut out = Vec::new();
        let mut fields = ObjectWriter::new(&mut out);
        if let Some(reasoning) = &request.reasoning {
            self.write_reasoning(reasoning, losses, &mut fields);
        }
        if let Some(top_k) = self.top_k {
            match self.family {
                Family::Nova => fields.object("inferenceConfig").raw("topK", top_k),
                Family::Cohere => fields.raw("k", top_k),
                Family::Anthropic | Family::Mistral | Family::OpenAi | Family::Other => fields.raw("top_k", top_k),
            }
        }
        let betas = request
            .extras
            .get(BETAS)
            .filter(|_| Origin::of(request.dialect, Dialect::BedrockConverse) == Origin::Foreign);
        match betas {
            Some(betas) if self.family == Family::Anthropic => fields.raw(BETAS, betas.bytes()),
            Some(_) => losses.lose_field(BETAS),
            None => {}
        }
        let others =
            request.extras.get(FIELD).filter(|_| Origin::of(request.dialect, Dialect::BedrockConverse) == Origin::Own);
        if let Some(others) = others {
            others.raw().members().for_each(|(key, value)| fields.raw(&unescape(key), value.bytes));
        }
        drop(fields);
        if out != b"{}" {
            body.raw(FIELD, &out);
        }
    }

    fn write_reasoning(&self, reasoning: &ReasoningRequest<'_>, losses: &mut Losses, fields: &mut ObjectWriter<'_>) {
        let by_budget = || reasoning.budget_tokens.map(Effort::from_budget);
        let effort = reasoning.effort.clone().or_else(by_budget);
        let effort = effort.as_ref().map(|effort| effort.0.as_ref());
        let is_off = reasoning.enabled == Some(false) || effort == Some("none") || reasoning.budget_tokens == Some(0);
        match (self.family, effort) {
            (Family::Anthropic, _) => {
                if let Some(plan) = &self.claude {
                    plan.write_thinking(fields);
                    if let Some(effort) = plan.effort {
                        fields.object("output_config").string("effort", effort);
                    }
                }
            }
            // It cannot do without.
            (Family::OpenAi, _) if is_off => fields.string("reasoning_effort", "low"),
            (Family::OpenAi, Some(effort)) => fields.string("reasoning_effort", three_steps(effort)),
            (Family::Nova, _) if is_off => fields.object("reasoningConfig").string("type", "disabled"),
            (Family::Nova, effort) if effort.is_some() || reasoning.enabled == Some(true) => {
                let mut config = fields.object("reasoningConfig");
                config.string("type", "enabled");
                config.string("maxReasoningEffort", three_steps(effort.unwrap_or("medium")));
            }
            (Family::OpenAi | Family::Nova, _) => {}
            (Family::Cohere | Family::Mistral | Family::Other, _) if is_off => {}
            (Family::Cohere | Family::Mistral | Family::Other, _) => losses.lose(Feature::ReasoningEffort),
        }
    }
}

/// The nearest of the three efforts that these families know.
fn three_steps(effort: &str) -> &'static str {
    match effort {
        "none" | "minimal" | "low" => "low",
        "high" | "xhigh" | "max" => "high",
        _ => "medium",
    }
}
