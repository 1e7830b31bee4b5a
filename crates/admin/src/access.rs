//! Who may call the Admin API: the address allow list, and keys with their roles. Invariant: a presented key
//! is compared with every known key, by digest and in constant time, and is never kept or logged.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use config::settings::AdminRole;
use http::header::COOKIE;
use http::{HeaderMap, Method};
use ipnet::IpNet;
use std::net::IpAddr;

use crate::query::Query;
use crate::settings::{Access, AdminKey, AdminSettings, KeyMatcher};

/// The allow list and the keys, ready for comparison.
#[derive(Debug)]
pub(crate) struct Guard {
    allow: Option<Vec<IpNet>>,
    /// `None`: no key is asked for.
    keys: Option<Vec<(Vec<u8>, AdminRole)>>,
}

/// Why a caller is refused; the text is the `description` of the 401.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denied {
    #[error("missing apikey")]
    Missing,
    #[error("wrong apikey")]
    Wrong,
    #[error("invalid method for role viewer")]
    ViewerMethod,
}

impl Guard {
    pub(crate) fn new(settings: &AdminSettings) -> Self {
        let keys = match &settings.access {
            Access::Open => None,
            Access::Keys(keys) => Some(keys.iter().filter(|key| can_be_presented(key)).map(hashed).collect()),
        };
        Self { allow: settings.allow_admin.clone(), keys }
    }

    /// Whether a client at `address` may talk to this listener at all.
    pub(crate) fn admits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.allow.as_ref().is_none_or(|networks| networks.iter().any(|network| network.contains(&address)))
    }

    /// Checks the key of a request: query `api_key`, then header `X-API-KEY`, then cookie `x_api_key`.
    pub(crate) fn authorize(&self, method: &Method, query: &Query, headers: &HeaderMap) -> Result<(), Denied> {
        let Some(keys) = &self.keys else { return Ok(()) };
        let header = || headers.get("x-api-key").map(|value| value.as_bytes().to_vec());
        let presented = query
            .get("api_key")
            .map(|value| value.as_bytes().to_vec())
            .or_else(header)
            .or_else(|| cookie(headers, "x_api_key"))
            .ok_or(Denied::Missing)?;
        match role_of(keys, &presented) {
            None => Err(Denied::Wrong),
            Some(AdminRole::Viewer) if method != Method::GET => Err(Denied::ViewerMethod),
            Some(AdminRole::Viewer | AdminRole::Admin) => Ok(()),
        }
    }
}

/// An empty key in the configuration is one that was never filled in; it must not let anyone in.
fn can_be_presented(key: &AdminKey) -> bool {
    match &key.secret {
        KeyMatcher::Plain(secret) => !secret.is_empty(),
        KeyMatcher::Sha256(_) => true,
    }
}

fn hashed(key: &AdminKey) -> (Vec<u8>, AdminRole) {
    let hash = match &key.secret {
        KeyMatcher::Plain(secret) => digest(&SHA256, secret.expose().as_bytes()).as_ref().to_vec(),
        KeyMatcher::Sha256(hash) => hash.to_vec(),
    };
    (hash, key.role)
}

/// Looks at every key, so that the time taken does not tell which one came close.
fn role_of(keys: &[(Vec<u8>, AdminRole)], presented: &[u8]) -> Option<AdminRole> {
    let presented = digest(&SHA256, presented);
    let mut found = None;
    for (hash, role) in keys {
        if verify_slices_are_equal(hash, presented.as_ref()).is_ok() && found.is_none() {
            found = Some(*role);
        }
    }
    found
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<Vec<u8>> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.as_bytes().to_vec())
}
