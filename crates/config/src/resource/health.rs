//! Health checks of an upstream: active probes, and conclusions from the traffic itself.
//! Numbers of tries and statuses have the defaults of APISIX; a counter set to 0 is off (passive only).

use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::forms;

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct HealthChecks {
    pub active: ActiveCheck,
    pub passive: Option<PassiveCheck>,
}

/// How a node is probed, or its traffic read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckType {
    #[default]
    Http,
    Https,
    /// Connecting is enough.
    Tcp,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct ActiveCheck {
    #[serde(rename = "type")]
    pub kind: CheckType,
    /// Of one probe.
    #[serde(deserialize_with = "forms::seconds")]
    pub timeout: Duration,
    /// Probes under way at the same time.
    pub concurrency: u32,
    /// Host header and SNI; part of the node's identity.
    pub host: Option<String>,
    /// Instead of the node's port.
    pub port: Option<u16>,
    pub http_method: String,
    pub http_path: String,
    pub http_req_body: String,
    pub https_verify_certificate: bool,
    /// Lines of the form `Name: value`.
    pub req_headers: Vec<String>,
    pub healthy: ActiveHealthy,
    pub unhealthy: ActiveUnhealthy,
}

impl Default for ActiveCheck {
    fn default() -> Self {
        ActiveCheck {
            kind: CheckType::Http,
            timeout: Duration::from_secs(1),
            concurrency: 10,
            host: None,
            port: None,
            http_method: "GET".to_owned(),
            http_path: "/".to_owned(),
            http_req_body: String::new(),
            https_verify_certificate: true,
            req_headers: Vec::new(),
            healthy: ActiveHealthy::absent(),
            unhealthy: ActiveUnhealthy::absent(),
        }
    }
}

/// Probing nodes that are held healthy, and what makes one so.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ActiveHealthy {
    /// `None`: healthy nodes are not probed.
    #[serde(deserialize_with = "every")]
    pub interval: Option<Duration>,
    pub http_statuses: Vec<u16>,
    pub successes: u8,
}

impl Default for ActiveHealthy {
    fn default() -> Self {
        ActiveHealthy { interval: Some(Duration::from_secs(1)), http_statuses: vec![200, 302], successes: 2 }
    }
}

impl ActiveHealthy {
    /// When the user wrote no `healthy` object at all, healthy nodes are not probed.
    fn absent() -> Self {
        ActiveHealthy { interval: None, ..Self::default() }
    }
}

/// Probing nodes that are held unhealthy, and what makes one so.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ActiveUnhealthy {
    /// `None`: unhealthy nodes are not probed.
    #[serde(deserialize_with = "every")]
    pub interval: Option<Duration>,
    pub http_statuses: Vec<u16>,
    pub http_failures: u8,
    pub tcp_failures: u8,
    pub timeouts: u8,
}

impl Default for ActiveUnhealthy {
    fn default() -> Self {
        ActiveUnhealthy {
            interval: Some(Duration::from_secs(1)),
            http_statuses: vec![429, 404, 500, 501, 502, 503, 504, 505],
            http_failures: 5,
            tcp_failures: 2,
            timeouts: 3,
        }
    }
}

impl ActiveUnhealthy {
    fn absent() -> Self {
        ActiveUnhealthy { interval: None, ..Self::default() }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PassiveCheck {
    #[serde(rename = "type")]
    pub kind: CheckType,
    pub healthy: PassiveHealthy,
    pub unhealthy: PassiveUnhealthy,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PassiveHealthy {
    pub http_statuses: Vec<u16>,
    pub successes: u8,
}

impl Default for PassiveHealthy {
    fn default() -> Self {
        let http_statuses = (200..=208).chain([226]).chain(300..=308).collect();
        PassiveHealthy { http_statuses, successes: 5 }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PassiveUnhealthy {
    pub http_statuses: Vec<u16>,
    pub http_failures: u8,
    pub tcp_failures: u8,
    pub timeouts: u8,
}

impl Default for PassiveUnhealthy {
    fn default() -> Self {
        PassiveUnhealthy { http_statuses: vec![429, 500, 503], http_failures: 5, tcp_failures: 2, timeouts: 7 }
    }
}

fn every<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Duration>, D::Error> {
    forms::seconds_or_never(input)
}
