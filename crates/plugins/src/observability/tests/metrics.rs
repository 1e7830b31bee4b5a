use std::time::Duration;

use config::settings::{ExtraLabel, MetricAttr, Settings};
use gateway::exchange::Exchange;
use gateway::plan::chain::Scope;
use gateway::settlement::Outcome;
use llm::Usage;
use serde_json::json;

use super::super::fixture::{Bench, GET, Sent};
use super::exposition::{Samples, parse};

const CHAT: Sent = Sent {
    uri: "/r/v1/chat/completions",
    headers: &[("host", "a.test.com"), ("content-type", "application/json")],
    body: r#"{"model": "gpt-4", "stream": true, "messages": [{"role": "user", "content": "hi"}]}"#,
};

fn scraped(bench: &Bench) -> Samples {
    parse(&bench.services.metrics.render())
}

#[track_caller]
fn expect(samples: &Samples, rows: &[(&str, f64)]) {
    for (series, value) in rows {
        assert_eq!(samples.get(*series), Some(value), "{series} in\n{samples:#?}");
    }
}

#[test]
fn a_request_is_counted_with_apisix_labels_in_their_order() {
    let bench = Bench::new(json!({"prometheus": {}}));
    drop(bench.answered(&GET));
    drop(bench.answered(&GET));
    let samples = scraped(&bench);
    let labels = "route=\"r1\",service=\"s1\",consumer=\"\",node=\"10.0.0.9\",request_type=\"traditional_http\",\
                  request_llm_model=\"\",llm_model=\"\"";
    expect(
        &samples,
        &[
            (
                "apisix_http_status{code=\"200\",route=\"r1\",matched_uri=\"/r/*\",matched_host=\"*.test.com\",\
                 service=\"s1\",consumer=\"\",node=\"10.0.0.9\",request_type=\"traditional_http\",\
                 request_llm_model=\"\",llm_model=\"\",response_source=\"upstream\"}",
                2.0,
            ),
            (&format!("apisix_bandwidth{{type=\"ingress\",{labels}}}"), 240.0),
            (&format!("apisix_bandwidth{{type=\"egress\",{labels}}}"), 690.0),
            (&format!("apisix_http_latency_count{{type=\"request\",{labels}}}"), 2.0),
            (&format!("apisix_http_latency_count{{type=\"apisix\",{labels}}}"), 2.0),
            (&format!("apisix_http_latency_sum{{type=\"upstream\",{labels}}}"), 60.0),
            (&format!("apisix_http_latency_bucket{{type=\"upstream\",{labels},le=\"20\"}}"), 0.0),
            (&format!("apisix_http_latency_bucket{{type=\"upstream\",{labels},le=\"50\"}}"), 2.0),
        ],
    );
    assert!(!samples.keys().any(|series| series.starts_with("apisix_llm_")), "no LLM series without LLM traffic");
}

#[test]
fn a_response_that_was_not_whole_is_counted_by_what_it_ended_as() {
    let bench = Bench::new(json!({"prometheus": {}}));
    drop(bench.answered(&GET));
    let mut failed = bench.answered(&GET);
    failed.settlement.outcome = Outcome::ProviderError;
    drop(failed);
    let counted: Vec<_> = scraped(&bench).into_iter().filter(|(series, _)| series.contains("incomplete")).collect();
    let [(series, 1.0)] = &counted[..] else { panic!("{counted:?}") };
    assert!(
        series.starts_with("apisix_incomplete_responses_total{outcome=\"provider_error\",route=\"r1\""),
        "{series}"
    );
}

#[test]
fn a_request_without_route_or_response_is_counted_by_a_global_rule_with_empty_labels() {
    let global = json!({"id": "g", "plugins": {"prometheus": {}}});
    let bench = Bench::with(Settings::default(), &[("/apisix/global_rules/g", global)], json!({}));
    drop(bench.arrived(&Sent { uri: "/nowhere", ..GET }));
    let samples = scraped(&bench);
    let counted = samples.iter().find(|(series, _)| series.starts_with("apisix_http_status")).expect("counted");
    assert!(counted.0.contains("code=\"499\",route=\"\",matched_uri=\"\""), "{counted:?}");
    assert!(counted.0.contains("response_source=\"apisix\""), "{counted:?}");
    assert!(!samples.keys().any(|series| series.contains("type=\"upstream\"")), "no upstream, no upstream latency");
}

#[test]
fn a_route_with_the_plugin_is_not_counted_a_second_time_by_a_global_rule() {
    let global = json!({"id": "g", "plugins": {"prometheus": {}}});
    let others = [("/apisix/global_rules/g", global)];
    let bench = Bench::with(Settings::default(), &others, json!({"prometheus": {"prefer_name": true}}));
    drop(bench.answered(&GET));
    let samples = scraped(&bench);
    let counted: Vec<_> = samples.iter().filter(|(series, _)| series.starts_with("apisix_http_status")).collect();
    assert_eq!(counted.len(), 1, "{counted:?}");
    assert!(counted[0].0.contains("route=\"my route\"") && counted[0].0.contains("service=\"svc\""), "{counted:?}");
    assert_eq!(*counted[0].1, 1.0);
}

#[test]
fn labels_can_be_disabled_and_added() {
    let mut settings = Settings::default();
    let extra = ExtraLabel { label: "tenant".to_owned(), value: "$http_x_tenant".to_owned() };
    let attr = MetricAttr { extra_labels: vec![extra], ..MetricAttr::default() };
    settings.plugin_attr.prometheus.metrics.insert("http_status".to_owned(), attr);
    let metadata = json!({"disabled_labels": {"http_status": ["node", "matched_uri"]}});
    let bench = Bench::with(settings, &[("/apisix/plugin_metadata/prometheus", metadata)], json!({"prometheus": {}}));
    for tenant in [&[("host", "a.test.com"), ("x-tenant", "one")], &[("host", "a.test.com"), ("x-tenant", "two")]] {
        drop(bench.answered(&Sent { headers: tenant, ..GET }));
    }
    let samples = scraped(&bench);
    for tenant in ["one", "two"] {
        let series = samples.keys().find(|series| series.contains(&format!("tenant=\"{tenant}\"}}"))).expect(tenant);
        assert!(series.contains("matched_uri=\"\"") && series.contains("node=\"\""), "{series}");
    }
}

#[test]
fn structural_labels_cannot_be_disabled() {
    let registry = crate::registry(None);
    let info = registry.catalog().get("prometheus").expect("shipped");
    let check = |config| (info.check)(&config, config::catalog::Side::Metadata);
    for (metric, label) in
        [("http_status", "code"), ("http_latency", "type"), ("bandwidth", "type"), ("llm_latency", "type")]
    {
        assert!(check(json!({"disabled_labels": {metric: [label]}})).is_err(), "{metric}.{label}");
    }
    assert!(check(json!({"disabled_labels": {"http_status": ["node"]}})).is_ok());
    assert!(check(json!({"disabled_labels": {"http_status": ["nod"]}})).is_err());
    assert!(check(json!({"disabled_labels": {"llm_tokens_per_second": ["nod"]}})).is_err());
}

/// An LLM request that has been admitted and is about to be sent.
fn dispatched(bench: &Bench) -> Box<Exchange> {
    let mut exchange = bench.arrived(&CHAT);
    let chain = exchange.chain.clone();
    let refused = bench.runtime.block_on(chain.access(&mut exchange, Scope::Route));
    assert!(refused.is_none(), "{refused:?}");
    assert!(chain.before_proxy(&mut exchange, Scope::Route).is_none());
    exchange
}

fn llm_bench() -> Bench {
    let proxy = json!({
        "provider": "openai",
        "auth": {"header": {"Authorization": "Bearer k"}},
        "options": {"model": "gpt-4o"},
        "override": {"endpoint": "http://127.0.0.1:1/v1/chat/completions"}
    });
    Bench::new(json!({"prometheus": {}, "ai-proxy": proxy}))
}

const LLM_LABELS: &str = "route_id=\"r1\",service_id=\"s1\",consumer=\"\",node=\"ai-proxy-openai\",\
                          request_type=\"ai_stream\",request_llm_model=\"gpt-4\",llm_model=\"gpt-4o\"";

#[test]
fn llm_requests_are_active_from_dispatch_to_settlement_however_they_end() {
    let bench = llm_bench();
    let active = format!(
        "apisix_llm_active_connections{{route=\"my route\",route_id=\"r1\",matched_uri=\"/r/*\",\
         matched_host=\"*.test.com\",service=\"svc\",service_id=\"s1\",{}}}",
        LLM_LABELS.split_once("service_id=\"s1\",").expect("labels").1
    );
    let [mut retried, abandoned] = [dispatched(&bench), dispatched(&bench)];
    expect(&scraped(&bench), &[(&active, 2.0)]);
    let chain = retried.chain.clone();
    assert!(chain.before_proxy(&mut retried, Scope::Route).is_none());
    expect(&scraped(&bench), &[(&active, 2.0)]);
    drop(retried);
    expect(&scraped(&bench), &[(&active, 1.0)]);
    drop(abandoned);
    expect(&scraped(&bench), &[(&active, 0.0)]);
}

#[test]
fn tokens_and_times_of_llm_requests_are_counted() {
    let bench = llm_bench();
    let mut exchange = dispatched(&bench);
    exchange.response.status = 200;
    let call = exchange.llm.as_mut().expect("admitted");
    call.instance = "ai-proxy-openai".into();
    call.model = "gpt-4o".into();
    call.time_to_first_token = Some(Duration::from_millis(15));
    call.provider_time = Some(Duration::from_millis(1_015));
    call.usage = Some(Usage { prompt: 7, completion: 30, total: 37, estimated: true, ..Usage::default() });
    drop(exchange);
    expect(
        &scraped(&bench),
        &[
            (&format!("apisix_llm_prompt_tokens{{{LLM_LABELS}}}"), 7.0),
            (&format!("apisix_llm_completion_tokens{{{LLM_LABELS}}}"), 30.0),
            (&format!("apisix_llm_prompt_tokens_dist_sum{{{LLM_LABELS}}}"), 7.0),
            (&format!("apisix_llm_completion_tokens_dist_count{{{LLM_LABELS}}}"), 1.0),
            (&format!("apisix_llm_latency_sum{{type=\"total\",{LLM_LABELS}}}"), 1_015.0),
            (&format!("apisix_llm_latency_sum{{type=\"ttft\",{LLM_LABELS}}}"), 15.0),
            (&format!("apisix_llm_usage_estimated_total{{{LLM_LABELS}}}"), 1.0),
            (&format!("apisix_llm_tokens_per_second_sum{{{LLM_LABELS}}}"), 30.0),
        ],
    );
}

#[test]
fn what_was_refused_before_any_provider_was_called_makes_no_llm_series() {
    let bench = llm_bench();
    let mut exchange = dispatched(&bench);
    exchange.response.status = 429;
    drop(exchange);
    let samples = scraped(&bench);
    assert!(!samples.keys().any(|series| series.starts_with("apisix_llm_prompt_tokens")), "{samples:#?}");
}

#[test]
fn failed_llm_requests_count_no_tokens_and_no_latency() {
    let bench = llm_bench();
    let mut exchange = dispatched(&bench);
    exchange.response.status = 500;
    let call = exchange.llm.as_mut().expect("admitted");
    (call.instance, call.model) = ("ai-proxy-openai".into(), "gpt-4o".into());
    call.provider_time = Some(Duration::from_millis(5));
    drop(exchange);
    let samples = scraped(&bench);
    expect(&samples, &[(&format!("apisix_llm_prompt_tokens{{{LLM_LABELS}}}"), 0.0)]);
    assert!(!samples.keys().any(|series| series.starts_with("apisix_llm_latency")), "{samples:#?}");
}
