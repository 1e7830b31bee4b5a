//! The `plugin_attr` section: process-wide settings of plugins. Prometheus, whose listener and metrics exist
//! before any route names the plugin, is typed here; other plugins read their raw value.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::{Map, Value};

use super::SettingsError;
use super::apisix::address;
use super::reader::{Entry, Reader};

/// Milliseconds, for every latency histogram.
const LATENCY_BUCKETS: [u32; 15] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000];

const TOKEN_BUCKETS: [u32; 16] =
    [1, 10, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000];

/// The `plugin_attr` section.
#[derive(Debug, Clone, Default)]
pub struct PluginAttr {
    /// By plugin name, as written; `prometheus` too.
    pub raw: Map<String, Value>,
    pub prometheus: PrometheusAttr,
}

/// `plugin_attr.prometheus`.
#[derive(Debug, Clone, PartialEq)]
pub struct PrometheusAttr {
    /// Path of the metrics.
    pub export_uri: String,
    pub metric_prefix: String,
    /// Serve the metrics on `export_addr`; otherwise only where the plugin `public-api` publishes them.
    pub enable_export_server: bool,
    pub export_addr: SocketAddr,
    /// Upper bounds of `http_latency`, in milliseconds. Bounds are finite and rise.
    pub default_buckets: Vec<f64>,
    /// In milliseconds.
    pub llm_latency_buckets: Vec<f64>,
    /// In tokens.
    pub llm_prompt_tokens_buckets: Vec<f64>,
    /// In tokens.
    pub llm_completion_tokens_buckets: Vec<f64>,
    /// By metric name without prefix.
    pub metrics: BTreeMap<String, MetricAttr>,
}

/// `plugin_attr.prometheus.metrics.{name}`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetricAttr {
    pub extra_labels: Vec<ExtraLabel>,
    /// Series that were not touched for so long are dropped; zero keeps them.
    pub expire: Duration,
}

/// A label whose value is a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtraLabel {
    pub label: String,
    /// A template, mostly just `$name`.
    pub value: String,
}

// === impl PluginAttr ===

impl PluginAttr {
    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, SettingsError> {
        let prometheus = PrometheusAttr::read(&mut from.section("prometheus")?)?;
        let entries = from.entries().into_iter();
        let raw = entries.map(|(name, entry)| (name.to_owned(), entry.value.clone())).collect();
        Ok(Self { raw, prometheus })
    }
}

// === impl PrometheusAttr ===

impl Default for PrometheusAttr {
    fn default() -> Self {
        let bounds = |bounds: &[u32]| bounds.iter().map(|bound| f64::from(*bound)).collect::<Vec<_>>();
        Self {
            export_uri: "/apisix/prometheus/metrics".to_owned(),
            metric_prefix: "apisix_".to_owned(),
            enable_export_server: true,
            export_addr: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9091),
            default_buckets: bounds(&LATENCY_BUCKETS),
            llm_latency_buckets: bounds(&LATENCY_BUCKETS),
            llm_prompt_tokens_buckets: bounds(&TOKEN_BUCKETS),
            llm_completion_tokens_buckets: bounds(&TOKEN_BUCKETS),
            metrics: BTreeMap::new(),
        }
    }
}

impl PrometheusAttr {
    fn read(from: &mut Reader<'_>) -> Result<Self, SettingsError> {
        let default = Self::default();
        let mut listen = from.section("export_addr")?;
        let export_addr = address(&mut listen, default.export_addr)?;
        listen.finish();
        let mut metrics = BTreeMap::new();
        for (name, entry) in from.section("metrics")?.entries() {
            metrics.insert(name.to_owned(), MetricAttr::read(&entry)?);
        }
        let read = Self {
            export_uri: export_uri(from, &default.export_uri)?,
            metric_prefix: metric_prefix(from, &default.metric_prefix)?,
            enable_export_server: from.flag("enable_export_server", default.enable_export_server)?,
            export_addr,
            default_buckets: buckets(from, "default_buckets", default.default_buckets)?,
            llm_latency_buckets: buckets(from, "llm_latency_buckets", default.llm_latency_buckets)?,
            llm_prompt_tokens_buckets: buckets(from, "llm_prompt_tokens_buckets", default.llm_prompt_tokens_buckets)?,
            llm_completion_tokens_buckets: buckets(
                from,
                "llm_completion_tokens_buckets",
                default.llm_completion_tokens_buckets,
            )?,
            metrics,
        };
        from.not_obeyed("refresh_interval", "metrics are made at each scrape");
        from.not_obeyed("ai_cache_embedding_latency_buckets", "there is no such metric yet");
        from.finish();
        Ok(read)
    }
}

fn export_uri(from: &mut Reader<'_>, default: &str) -> Result<String, SettingsError> {
    let Some(entry) = from.entry("export_uri") else {
        return Ok(default.to_owned());
    };
    let uri = entry.text()?;
    if !uri.starts_with('/') {
        return Err(entry.invalid("a path that begins with /"));
    }
    Ok(uri)
}

fn metric_prefix(from: &mut Reader<'_>, default: &str) -> Result<String, SettingsError> {
    let Some(entry) = from.entry("metric_prefix") else {
        return Ok(default.to_owned());
    };
    let prefix = entry.text()?;
    if !prefix.is_empty() && !is_name(&prefix.replace(':', "_")) {
        return Err(entry.invalid("the beginning of a metric's name: letters, digits, _ and :, no digit first"));
    }
    Ok(prefix)
}

/// Whether Prometheus takes `text` for the name of a label.
fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.bytes().all(plain) && text.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

fn buckets(from: &mut Reader<'_>, key: &str, default: Vec<f64>) -> Result<Vec<f64>, SettingsError> {
    const EXPECTED: &str = "a list of rising numbers";
    let Some(entry) = from.entry(key) else {
        return Ok(default);
    };
    let mut bounds: Vec<f64> = Vec::new();
    for bound in entry.list()? {
        let number = bound.value.as_f64().ok_or_else(|| bound.invalid("a number"))?;
        if bounds.last().is_some_and(|last| *last >= number) {
            return Err(bound.invalid("greater than the bound before it"));
        }
        bounds.push(number);
    }
    if bounds.is_empty() {
        return Err(entry.invalid(EXPECTED));
    }
    Ok(bounds)
}

// === impl MetricAttr ===

impl MetricAttr {
    fn read(entry: &Entry<'_>) -> Result<Self, SettingsError> {
        let mut from = entry.reader()?;
        let mut extra_labels = Vec::new();
        if let Some(labels) = from.entry("extra_labels") {
            for item in labels.list()? {
                for (label, value) in item.reader()?.entries() {
                    if !is_name(label) || extra_labels.iter().any(|known: &ExtraLabel| known.label == label) {
                        return Err(item.invalid("labels of letters, digits and _, no digit first, each once"));
                    }
                    extra_labels.push(ExtraLabel { label: label.to_owned(), value: value.text()? });
                }
            }
        }
        let expire = from.duration("expire", Duration::ZERO)?;
        from.finish();
        Ok(Self { extra_labels, expire })
    }
}
