//! The labels of every metric, in APISIX's order, and the facts about a request that they show.

use std::collections::HashSet;
use std::ops::Range;

use gateway::exchange::Exchange;

use super::rows::{self, Row};

/// Longer model names are cut, in bytes: clients choose them.
const LONGEST_MODEL: usize = 128;

/// As many names are shown for each worker; a client that invents models must not use up the series of a metric.
const MOST_MODELS: usize = 200;

/// Stands for every further name.
const OTHER_MODEL: &str = "<other>";

/// nginx' code for a client that left before there was a response.
const CLIENT_GONE: u16 = 499;

/// One thing that labels show; a position in [`Facts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fact {
    Code,
    /// Id or, where preferred, name.
    Route,
    RouteId,
    RouteName,
    MatchedUri,
    MatchedHost,
    /// Id or, where preferred, name.
    Service,
    ServiceId,
    ServiceName,
    Consumer,
    Node,
    RequestType,
    RequestModel,
    Model,
    Source,
}

const FACTS: usize = Fact::Source as usize + 1;

/// Where a label's value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    Is(Fact),
    /// Told when the series is bound, such as `type`.
    Given,
}

use Fact::*;
use Value::{Given, Is};

pub(super) type Labels = &'static [(&'static str, Value)];

pub(super) const HTTP_STATUS: Labels = &[
    ("code", Is(Code)),
    ("route", Is(Route)),
    ("matched_uri", Is(MatchedUri)),
    ("matched_host", Is(MatchedHost)),
    ("service", Is(Service)),
    ("consumer", Is(Consumer)),
    ("node", Is(Node)),
    ("request_type", Is(RequestType)),
    ("request_llm_model", Is(RequestModel)),
    ("llm_model", Is(Model)),
    ("response_source", Is(Source)),
];

/// `http_latency` and `bandwidth`.
pub(super) const HTTP_TYPED: Labels = &[
    ("type", Given),
    ("route", Is(Route)),
    ("service", Is(Service)),
    ("consumer", Is(Consumer)),
    ("node", Is(Node)),
    ("request_type", Is(RequestType)),
    ("request_llm_model", Is(RequestModel)),
    ("llm_model", Is(Model)),
];

pub(super) const INCOMPLETE: Labels = &[
    ("outcome", Given),
    ("route", Is(Route)),
    ("service", Is(Service)),
    ("consumer", Is(Consumer)),
    ("node", Is(Node)),
    ("request_type", Is(RequestType)),
    ("request_llm_model", Is(RequestModel)),
    ("llm_model", Is(Model)),
];

pub(super) const LLM: Labels = &[
    ("route_id", Is(Route)),
    ("service_id", Is(Service)),
    ("consumer", Is(Consumer)),
    ("node", Is(Node)),
    ("request_type", Is(RequestType)),
    ("request_llm_model", Is(RequestModel)),
    ("llm_model", Is(Model)),
];

pub(super) const LLM_LATENCY: Labels = &[
    ("type", Given),
    ("route_id", Is(Route)),
    ("service_id", Is(Service)),
    ("consumer", Is(Consumer)),
    ("node", Is(Node)),
    ("request_type", Is(RequestType)),
    ("request_llm_model", Is(RequestModel)),
    ("llm_model", Is(Model)),
];

pub(super) const LLM_ACTIVE: Labels = &[
    ("route", Is(RouteName)),
    ("route_id", Is(RouteId)),
    ("matched_uri", Is(MatchedUri)),
    ("matched_host", Is(MatchedHost)),
    ("service", Is(ServiceName)),
    ("service_id", Is(ServiceId)),
    ("consumer", Is(Consumer)),
    ("node", Is(Node)),
    ("request_type", Is(RequestType)),
    ("request_llm_model", Is(RequestModel)),
    ("llm_model", Is(Model)),
];

/// Labels without which a metric means nothing stay; metrics that are not known here may be APISIX's others.
pub(super) fn check_disabled(metric: &str, disabled: &[String]) -> Result<(), String> {
    let Some(Row { labels, .. }) = rows::find(metric) else { return Ok(()) };
    for name in disabled {
        let Some((_, value)) = labels.iter().find(|(label, _)| label == name) else {
            return Err(format!("disabled_labels: metric {metric} has no label {name}"));
        };
        if matches!(value, Given | Is(Code)) {
            return Err(format!("disabled_labels: label {name} of metric {metric} cannot be disabled"));
        }
    }
    Ok(())
}

/// What labels may show of one request.
pub(super) struct Facts<'e> {
    values: [&'e str; FACTS],
    code: [u8; 3],
    /// Values of configured labels, all metrics' in one row.
    extra: Vec<String>,
}

impl<'e> Facts<'e> {
    pub fn of(exchange: &'e Exchange, prefer_name: bool, extra: Vec<String>) -> Self {
        let mut facts = Self { values: [""; FACTS], code: code(exchange.response.status), extra };
        if let Some(matched) = &exchange.route {
            let route = &*matched.route;
            facts.set_object(prefer_name, [Route, RouteId, RouteName], Some(&*route.id), route.name.as_deref());
            let service = (route.service_id.as_deref(), route.service_name.as_deref());
            facts.set_object(prefer_name, [Service, ServiceId, ServiceName], service.0, service.1);
            facts.set(MatchedUri, exchange.plan.pattern(matched));
            facts.set(MatchedHost, matched.host.as_deref().unwrap_or(""));
        }
        facts.set(Consumer, exchange.consumer_name().unwrap_or(""));
        facts.set(Source, exchange.response.source.as_str());
        match &exchange.llm {
            Some(call) => {
                facts.set(Node, &call.instance);
                facts.set(RequestType, call.request_type());
                facts.set(RequestModel, model(&call.request_model));
                facts.set(Model, model(&call.model));
            }
            None => {
                facts.set(Node, exchange.settlement.attempts.last().map_or("", |attempt| attempt.called_ip()));
                facts.set(RequestType, "traditional_http");
            }
        }
        facts
    }

    /// The provider that is about to be called.
    pub fn set_provider(&mut self, instance: &'e str, fixed_model: Option<&'e str>) {
        self.set(Node, instance);
        if let Some(fixed) = fixed_model {
            self.set(Model, model(fixed));
        }
    }

    /// Shows no more model names than `names` has room for.
    pub fn limit_models(&mut self, names: &mut ModelNames) {
        for fact in [RequestModel, Model] {
            self.set(fact, names.shown(self.values[fact as usize]));
        }
    }

    /// Everything, to look handles up by.
    pub fn all(&self) -> impl Iterator<Item = &str> + Clone {
        let own = self.values[Route as usize..].iter().copied();
        std::iter::once(self.get(Code)).chain(own).chain(self.extra.iter().map(String::as_str))
    }

    pub fn get(&self, fact: Fact) -> &str {
        match fact {
            Code => std::str::from_utf8(&self.code).unwrap_or(""),
            fact => self.values[fact as usize],
        }
    }

    pub fn extra(&self, range: Range<usize>) -> impl Iterator<Item = &str> {
        self.extra.get(range).unwrap_or_default().iter().map(String::as_str)
    }

    fn set(&mut self, fact: Fact, value: &'e str) {
        self.values[fact as usize] = value;
    }

    fn set_object(&mut self, prefer_name: bool, facts: [Fact; 3], id: Option<&'e str>, name: Option<&'e str>) {
        let id = id.unwrap_or("");
        let [preferred, id_fact, name_fact] = facts;
        self.set(preferred, name.filter(|_| prefer_name).unwrap_or(id));
        self.set(id_fact, id);
        self.set(name_fact, name.unwrap_or(""));
    }
}

/// The model names that a thread has shown.
#[derive(Debug, Default)]
pub(super) struct ModelNames {
    shown: HashSet<Box<str>, foldhash::fast::RandomState>,
    /// The one that was shown last; mostly it is asked for again.
    recent: Box<str>,
}

impl ModelNames {
    /// The name itself while there is room for it.
    fn shown<'m>(&mut self, name: &'m str) -> &'m str {
        if name.is_empty() || *name == *self.recent {
            return name;
        }
        if !self.shown.contains(name) {
            if self.shown.len() >= MOST_MODELS {
                return OTHER_MODEL;
            }
            self.shown.insert(name.into());
        }
        self.recent = name.into();
        name
    }
}

fn code(status: u16) -> [u8; 3] {
    let status = if status == 0 { CLIENT_GONE } else { status };
    [status / 100, status / 10 % 10, status % 10].map(|digit| b'0' + digit as u8)
}

fn model(name: &str) -> &str {
    &name[..name.floor_char_boundary(LONGEST_MODEL)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn model_names_are_shown_until_there_are_too_many() {
        let mut names = ModelNames::default();
        for number in 0..MOST_MODELS {
            let name = number.to_string();
            assert_eq!(names.shown(&name), name);
        }
        assert_eq!(names.shown("one more"), OTHER_MODEL);
        assert_eq!(names.shown("7"), "7", "known names stay");
        assert_eq!(names.shown(""), "");
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        let name = "\u{e9}".repeat(100);
        assert_eq!(model(&name), "\u{e9}".repeat(64));
        assert_eq!(model(&format!("a{name}")).len(), 127);
    }

    #[test]
    fn a_request_without_response_has_nginx_code_for_a_client_that_left() {
        assert_eq!((&code(0), &code(404)), (b"499", b"404"));
    }
}
