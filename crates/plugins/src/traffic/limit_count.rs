//! `limit-count`: at most so many requests per key in a span of time, counted in this process's memory.
//!
//! [`settings`] is what users write, [`rule`] one compiled limit, [`headers`] how the client learns about its
//! quota. A counter belongs to the object that carries the configuration and to the configuration itself: it
//! survives unrelated changes and starts anew when this configuration changes.

mod headers;
mod rule;
mod settings;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use gateway::answer::Answer;
use gateway::exchange::Exchange;
use gateway::plugin::{CompileContext, Needs, Phases, Plugin, PluginDef, Step};
use gateway::services::Services;
use gateway::variables::reads::reads_body;
use http::StatusCode;
use limits::Scope;
use serde_json::Value;

use crate::definition::{self, Declare as _};
use headers::HeaderNames;
use rule::{Rule, RuleError};
use settings::{Config, Metadata};

const NAME: &str = "limit-count";

pub(crate) fn definition() -> PluginDef {
    definition::plugin::<Config>(NAME, 1002, compile)
        .with_metadata::<Metadata>()
        .grouped_by("group")
        .checked(settings::check)
}

struct LimitCount {
    services: Arc<Services>,
    rules: Vec<Rule>,
    show_quota: bool,
    allow_degradation: bool,
    rejected_code: StatusCode,
    /// `None`: the stock page.
    rejected_body: Option<Bytes>,
}

fn compile(config: &Value, context: &CompileContext<'_>) -> Result<Arc<dyn Plugin>, String> {
    let parsed: Config = definition::read(config)?;
    let metadata = context.metadata.map(definition::read::<Metadata>).transpose()?.unwrap_or_default();
    let identity = match &parsed.group {
        Some(group) => format!("{NAME} group {group}"),
        None => format!("{NAME} {} {config}", context.owner),
    };
    Ok(Arc::new(LimitCount {
        services: context.services.clone(),
        rules: rules(&parsed, &metadata, &identity)?,
        show_quota: parsed.show_limit_quota_header,
        allow_degradation: parsed.allow_degradation,
        rejected_code: StatusCode::from_u16(parsed.rejected_code).map_err(|error| error.to_string())?,
        rejected_body: parsed
            .rejected_msg
            .map(|text| (serde_json::json!({ "error_msg": text }).to_string() + "\n").into()),
    }))
}

fn rules(config: &Config, metadata: &Metadata, identity: &str) -> Result<Vec<Rule>, String> {
    let Some(listed) = &config.rules else {
        let names = HeaderNames::from_metadata(metadata)?;
        return Rule::single(config, Scope::new(identity), names).map(|rule| vec![rule]);
    };
    let compile = |(at, listed): (usize, &settings::Rule)| {
        let prefix = listed.header_prefix.clone().unwrap_or_else(|| (at + 1).to_string());
        let scope = Scope::new(&format!("{identity} rule {at}"));
        Rule::listed(listed, config.window_type, scope, HeaderNames::with_prefix(&prefix)?)
    };
    listed.iter().enumerate().map(compile).collect()
}

impl Plugin for LimitCount {
    fn phases(&self) -> Phases {
        Phases::ACCESS
    }

    fn needs(&self) -> Needs {
        let reads_body = self.rules.iter().any(|rule| rule.reads(reads_body));
        Needs { body_before_rewrite: reads_body, ..Needs::default() }
    }

    fn access<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        match self.count(exchange) {
            Ok(Verdict::Passed) => Step::Next,
            Ok(Verdict::Rejected) => Step::Answer(self.rejection()),
            Err(error) if self.allow_degradation => {
                tracing::warn!(%error, "limit-count lets a request pass uncounted");
                Step::Next
            }
            Err(error) => {
                tracing::error!(%error, "limit-count cannot count a request");
                Step::Answer(Answer::page(StatusCode::INTERNAL_SERVER_ERROR))
            }
        }
    }
}

enum Verdict {
    Passed,
    Rejected,
}

impl LimitCount {
    /// Counts the request under every rule that applies, until one rejects it.
    fn count(&self, exchange: &mut Exchange) -> Result<Verdict, RuleError> {
        let now = self.services.now();
        let mut applied = false;
        for rule in &self.rules {
            let Some(outcome) = rule.check(exchange, &self.services.limiter, now)? else { continue };
            applied = true;
            if self.show_quota {
                rule.names.set(exchange, &outcome.decision);
            }
            exchange.set_variable("rate_limiting_info", outcome.info);
            if !outcome.decision.allowed {
                return Ok(Verdict::Rejected);
            }
        }
        if applied { Ok(Verdict::Passed) } else { Err(RuleError::NoneApplies) }
    }

    fn rejection(&self) -> Answer {
        match &self.rejected_body {
            Some(body) => Answer::text(self.rejected_code, body.clone()),
            None => Answer::page(self.rejected_code),
        }
    }
}
