//! The families that this plugin fills, and what one request adds to them.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use config::settings::PrometheusAttr;
use config::template::Template;
use gateway::exchange::Exchange;
use gateway::inference::LlmCall;
use gateway::metrics::{Counter, FamilyOf, Gauge, Handle, Histogram, Metrics};
use gateway::settlement::Outcome;

use super::labels::{Facts, Labels, Value};
use super::rows::{self, Row};

/// Tokens per second, from a slow model on a slow machine to small models on fast ones.
const SPEED_BUCKETS: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0];

/// All families.
pub(super) struct Series {
    status: Metric<Counter>,
    latency: Metric<Histogram>,
    bandwidth: Metric<Counter>,
    llm_latency: Metric<Histogram>,
    prompt_tokens: Metric<Counter>,
    completion_tokens: Metric<Counter>,
    prompt_tokens_dist: Metric<Histogram>,
    completion_tokens_dist: Metric<Histogram>,
    active: Metric<Gauge>,
    estimated: Metric<Counter>,
    speed: Metric<Histogram>,
    incomplete: Metric<Counter>,
    /// Configured labels of all metrics, one after the other.
    extra: Vec<Template>,
}

/// A family and how its label values are found.
struct Metric<H> {
    family: FamilyOf<H>,
    labels: Labels,
    /// Beside `labels`: the value is left empty.
    disabled: Vec<bool>,
    /// This metric's part of [`Series::extra`].
    extra: Range<usize>,
}

/// What every request adds to. Latencies of a type are bound when there is one to observe.
pub(super) struct RequestHandles {
    status: Counter,
    request: Histogram,
    upstream: OnceCell<Option<Histogram>>,
    apisix: Histogram,
    ingress: Counter,
    egress: Counter,
    pub llm: OnceCell<Option<LlmHandles>>,
}

/// What every LLM request adds to.
pub(super) struct LlmHandles {
    prompt: (Counter, Histogram),
    completion: (Counter, Histogram),
    total: OnceCell<Option<Histogram>>,
    ttft: OnceCell<Option<Histogram>>,
    estimated: OnceCell<Option<Counter>>,
    speed: OnceCell<Option<Histogram>>,
}

/// Registers metrics one after the other.
struct Registrar<'r> {
    metrics: &'r Metrics,
    settings: &'r PrometheusAttr,
    disabled: &'r BTreeMap<String, Vec<String>>,
    extra: Vec<Template>,
}

impl Series {
    /// Registers what is not registered yet.
    pub fn register(metrics: &Metrics, settings: &PrometheusAttr, disabled: &BTreeMap<String, Vec<String>>) -> Self {
        let mut new = Registrar { metrics, settings, disabled, extra: Vec::new() };
        Self {
            status: new.counter(&rows::HTTP_STATUS),
            latency: new.histogram(&rows::HTTP_LATENCY, &settings.default_buckets),
            bandwidth: new.counter(&rows::BANDWIDTH),
            llm_latency: new.histogram(&rows::LLM_LATENCY, &settings.llm_latency_buckets),
            prompt_tokens: new.counter(&rows::PROMPT_TOKENS),
            completion_tokens: new.counter(&rows::COMPLETION_TOKENS),
            prompt_tokens_dist: new.histogram(&rows::PROMPT_TOKENS_DIST, &settings.llm_prompt_tokens_buckets),
            completion_tokens_dist: new
                .histogram(&rows::COMPLETION_TOKENS_DIST, &settings.llm_completion_tokens_buckets),
            active: new.gauge(&rows::ACTIVE),
            estimated: new.counter(&rows::ESTIMATED),
            speed: new.histogram(&rows::SPEED, &SPEED_BUCKETS),
            incomplete: new.counter(&rows::INCOMPLETE),
            extra: new.extra,
        }
    }

    /// The values of configured labels.
    pub fn extra_values(&self, exchange: &Exchange) -> Vec<String> {
        self.extra.iter().map(|template| template.render_to_string(exchange)).collect()
    }

    /// The variables that configured labels show.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.extra.iter().flat_map(Template::variables)
    }

    pub fn bind_request(&self, facts: &Facts<'_>) -> Option<RequestHandles> {
        Some(RequestHandles {
            status: self.status.bind("", facts)?,
            request: self.latency.bind("request", facts)?,
            upstream: OnceCell::new(),
            apisix: self.latency.bind("apisix", facts)?,
            ingress: self.bandwidth.bind("ingress", facts)?,
            egress: self.bandwidth.bind("egress", facts)?,
            llm: OnceCell::new(),
        })
    }

    pub fn bind_llm(&self, facts: &Facts<'_>) -> Option<LlmHandles> {
        Some(LlmHandles {
            prompt: (self.prompt_tokens.bind("", facts)?, self.prompt_tokens_dist.bind("", facts)?),
            completion: (self.completion_tokens.bind("", facts)?, self.completion_tokens_dist.bind("", facts)?),
            total: OnceCell::new(),
            ttft: OnceCell::new(),
            estimated: OnceCell::new(),
            speed: OnceCell::new(),
        })
    }

    pub fn bind_active(&self, facts: &Facts<'_>) -> Option<Gauge> {
        self.active.bind("", facts)
    }

    pub fn observe_http(&self, handles: &RequestHandles, facts: &Facts<'_>, exchange: &Exchange) {
        let settlement = &exchange.settlement;
        let provider_time = exchange.llm.as_ref().and_then(|call| call.provider_time);
        let upstream_time = provider_time.or_else(|| settlement.upstream_time());
        let request_time = settlement.request_time();
        handles.status.inc();
        handles.request.observe(milliseconds(request_time));
        if let Some(time) = upstream_time {
            observe(&handles.upstream, || self.latency.bind("upstream", facts), milliseconds(time));
        }
        handles.apisix.observe(milliseconds(request_time.saturating_sub(upstream_time.unwrap_or_default())));
        handles.ingress.add(exchange.request.length);
        handles.egress.add(settlement.bytes_sent());
        if settlement.outcome != Outcome::Complete
            && let Some(counter) = self.incomplete.bind(settlement.outcome.as_str(), facts)
        {
            counter.inc();
        }
    }

    pub fn observe_llm(&self, handles: &LlmHandles, facts: &Facts<'_>, call: &LlmCall, status: u16) {
        let usage = call.usage.unwrap_or_default();
        for ((counter, distribution), tokens) in
            [(&handles.prompt, usage.prompt), (&handles.completion, usage.completion)]
        {
            counter.add(tokens);
            distribution.observe(tokens as f64);
        }
        if usage.estimated
            && let Some(counter) = handles.estimated.get_or_init(|| self.estimated.bind("", facts))
        {
            counter.inc();
        }
        if let Some(speed) = call.tokens_per_second() {
            observe(&handles.speed, || self.speed.bind("", facts), speed);
        }
        let (Some(first_token), Some(total)) = (call.time_to_first_token, call.provider_time) else { return };
        if status == 0 || status >= 400 {
            return;
        }
        observe(&handles.total, || self.llm_latency.bind("total", facts), milliseconds(total));
        if call.stream {
            observe(&handles.ttft, || self.llm_latency.bind("ttft", facts), milliseconds(first_token));
        }
    }
}

fn observe(handle: &OnceCell<Option<Histogram>>, bind: impl FnOnce() -> Option<Histogram>, value: f64) {
    if let Some(histogram) = handle.get_or_init(bind) {
        histogram.observe(value);
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

impl<H: Handle> Metric<H> {
    /// The series that shows `facts`; `given` is the value of a label that is no fact.
    fn bind(&self, given: &str, facts: &Facts<'_>) -> Option<H> {
        let own = self.labels.iter().zip(&self.disabled).map(|((_, value), disabled)| match value {
            _ if *disabled => "",
            Value::Given => given,
            Value::Is(fact) => facts.get(*fact),
        });
        let values: Vec<&str> = own.chain(facts.extra(self.extra.clone())).collect();
        self.family.with(&values)
    }
}

impl Registrar<'_> {
    fn counter(&mut self, row: &'static Row) -> Metric<Counter> {
        self.metric(row, |metrics, names| metrics.counter(row.name, row.help, names))
    }

    fn gauge(&mut self, row: &'static Row) -> Metric<Gauge> {
        self.metric(row, |metrics, names| metrics.gauge(row.name, row.help, names))
    }

    fn histogram(&mut self, row: &'static Row, bounds: &[f64]) -> Metric<Histogram> {
        self.metric(row, |metrics, names| metrics.histogram(row.name, row.help, bounds, names))
    }

    fn metric<H>(&mut self, row: &'static Row, register: impl FnOnce(&Metrics, &[&str]) -> FamilyOf<H>) -> Metric<H> {
        debug_assert!(rows::find(row.name).is_some(), "{} is in no list", row.name);
        let labels = row.labels;
        let configured = self.settings.metrics.get(row.name).map_or(&[][..], |metric| &metric.extra_labels);
        let start = self.extra.len();
        self.extra.extend(configured.iter().map(|extra| Template::new(&extra.value)));
        let names: Vec<&str> =
            labels.iter().map(|(label, _)| *label).chain(configured.iter().map(|extra| extra.label.as_str())).collect();
        let disabled = self.disabled.get(row.name);
        let is_disabled = |label: &str| disabled.is_some_and(|disabled| disabled.iter().any(|name| name == label));
        Metric {
            family: register(self.metrics, &names),
            labels,
            disabled: labels.iter().map(|(label, _)| is_disabled(label)).collect(),
            extra: start..self.extra.len(),
        }
    }
}
