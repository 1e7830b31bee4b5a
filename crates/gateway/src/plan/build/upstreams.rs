//! Upstreams, on their own or inside of routes and services.

use std::sync::Arc;

use config::resource::{self, KeyPair, PassHost, UpstreamTls};
use config::secret::Secret;
use serde_json::Value;
use store::Snapshot;

use super::{Draft, Planner, items};
use crate::health;
use crate::plan::route::UpstreamChoice;
use crate::plan::upstream::{Upstream, UpstreamParts};

const FOLDER: &str = "/apisix/upstreams/";

/// An upstream of an earlier plan.
pub(super) struct KnownUpstream {
    /// The object that carries the upstream.
    owner: Arc<Value>,
    tls: Option<UpstreamTls>,
    /// What `tls` came to: an ssl object, or a secret behind it, can change while the upstream does not.
    certificate: Option<KeyPair>,
    upstream: Arc<Upstream>,
}

impl KnownUpstream {
    /// `true` if the health of its nodes is watched.
    pub fn is_checked(&self) -> bool {
        self.upstream.health.is_some()
    }
}

/// An upstream names a client certificate that is not there.
#[derive(Debug, thiserror::Error)]
#[error("the client certificate {0} cannot be used")]
struct CertificateMissing(String);

impl Planner {
    pub(super) fn compile_upstreams(&mut self, draft: &mut Draft<'_>) {
        for (key, value) in items(draft.snapshot, FOLDER) {
            self.compile_upstream(draft, key, value);
        }
    }

    /// An upstream by its id, else the one written inline in `owner`.
    pub(super) fn choose_upstream(
        &mut self,
        draft: &mut Draft<'_>,
        key: &Arc<str>,
        id: Option<&str>,
        owner: &Arc<Value>,
    ) -> UpstreamChoice {
        let ready = match id {
            Some(id) => draft.upstreams.get(format!("{FOLDER}{id}").as_str()).cloned(),
            None if written_in(key, owner).is_some() => self.compile_upstream(draft, key, owner),
            None => return UpstreamChoice::None,
        };
        ready.map_or(UpstreamChoice::Missing, UpstreamChoice::Ready)
    }

    /// Compiles the upstream that `owner` is or carries. `None` if it cannot be used.
    fn compile_upstream(&mut self, draft: &mut Draft<'_>, key: &Arc<str>, owner: &Arc<Value>) -> Option<Arc<Upstream>> {
        if !self.is_unchanged(draft.snapshot, key, owner) {
            match self.compile_anew(draft.snapshot, key, owner) {
                Ok(known) => {
                    self.upstreams.put(key.clone(), known);
                }
                Err(error) => {
                    self.complain("the upstream", &format!("{key} upstream"), owner, &error);
                    return None;
                }
            }
        }
        let known = self.upstreams.renew(key)?;
        known.owner = owner.clone();
        draft.upstreams.insert(key.clone(), known.upstream.clone());
        Some(known.upstream.clone())
    }

    fn is_unchanged(&self, snapshot: &Snapshot, key: &Arc<str>, owner: &Arc<Value>) -> bool {
        let Some(known) = self.upstreams.get(key) else { return false };
        let same = Arc::ptr_eq(&known.owner, owner) || written_in(key, &known.owner) == written_in(key, owner);
        same && self.client_certificate(snapshot, known.tls.as_ref()).is_ok_and(|pair| pair == known.certificate)
    }

    fn compile_anew(&self, snapshot: &Snapshot, key: &Arc<str>, owner: &Arc<Value>) -> Result<KnownUpstream, String> {
        let value = written_in(key, owner).unwrap_or(&Value::Null);
        let config = resource::Upstream::from_value(value).map_err(|error| error.to_string())?;
        let certificate =
            self.client_certificate(snapshot, config.tls.as_ref()).map_err(|missing| missing.to_string())?;
        let checks = config.checks.as_ref().filter(|_| !self.services.settings.apisix.disable_upstream_healthcheck);
        let parts = UpstreamParts {
            key: key.clone(),
            origins: &self.services.origins,
            tls: &self.services.tls,
            certificate: certificate.as_ref(),
            health: checks
                .map(|checks| self.health.apply(key, checks, &checked_nodes(&config), rewritten_host(&config))),
            keepalive: self.services.settings.nginx_config.http.upstream,
            previous: self.upstreams.get(key).map(|known| &*known.upstream),
        };
        let upstream = Upstream::compile(&config, parts).map_err(|error| error.to_string())?;
        Ok(KnownUpstream { owner: owner.clone(), tls: config.tls, certificate, upstream: Arc::new(upstream) })
    }

    /// The certificate to show to an upstream's nodes, decrypted and with secrets resolved.
    fn client_certificate(
        &self,
        snapshot: &Snapshot,
        tls: Option<&UpstreamTls>,
    ) -> Result<Option<KeyPair>, CertificateMissing> {
        let Some(tls) = tls else { return Ok(None) };
        if let Some(id) = &tls.client_cert_id {
            let key = format!("/apisix/ssls/{id}");
            let ssl = snapshot.get(&key).and_then(|item| resource::Ssl::from_value(&item.value).ok());
            let pair = ssl.and_then(|ssl| ssl.pairs.into_iter().next()).ok_or(CertificateMissing(key))?;
            return Ok(Some(self.client_pair(&pair.cert, pair.key.expose())));
        }
        let pair = tls.client_cert.as_ref().zip(tls.client_key.as_ref());
        Ok(pair.map(|(cert, key)| self.client_pair(cert, key.expose())))
    }

    fn client_pair(&self, cert: &str, key: &str) -> KeyPair {
        KeyPair { cert: self.secret_text(cert), key: Secret::new(self.secret_text(&self.keyring.decrypt(key))) }
    }
}

/// Where the upstream stands: an upstream object is one, others carry one.
fn written_in<'v>(key: &str, owner: &'v Value) -> Option<&'v Value> {
    if key.starts_with(FOLDER) { Some(owner) } else { owner.get("upstream") }
}

fn checked_nodes(config: &resource::Upstream) -> Vec<health::CheckedNode> {
    let usual_port = config.scheme.default_port().unwrap_or(80);
    let checked =
        |node: &resource::Node| health::CheckedNode { host: node.host.clone(), port: node.port.unwrap_or(usual_port) };
    config.nodes.iter().map(checked).collect()
}

fn rewritten_host(config: &resource::Upstream) -> Option<&str> {
    config.upstream_host.as_deref().filter(|_| config.pass_host == PassHost::Rewrite)
}
