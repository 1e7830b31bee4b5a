//! Metrics of the process as a whole that no request makes: who it is, how far the configuration has come, and which
//! upstream nodes are fit. Read at each scrape. All names but `plan_revision` are APISIX's; the embedded store's
//! revisions stand where etcd's would.

use std::sync::Arc;

use config::resource::Kind;
use gateway::data_plane::DataPlane;
use gateway::metrics::Metrics;
use store::{Snapshot, Store};

/// Beside the collections' own revisions.
const REVISION: [&str; 3] = ["max_modify_index", "prev_index", "x_etcd_index"];

const COLLECTIONS: [Kind; 8] = [
    Kind::Route,
    Kind::Service,
    Kind::Ssl,
    Kind::Consumer,
    Kind::GlobalRule,
    Kind::Upstream,
    Kind::StreamRoute,
    Kind::Proto,
];

/// Has `metrics` show them.
pub fn register(metrics: &Metrics, hostname: &str, store: &Store, data_plane: &Arc<DataPlane>) {
    metrics.describe_node(hostname, env!("CARGO_PKG_VERSION"));
    // A receiver, not the store itself: metrics outlive everything, and the store is to be closed at the end.
    let snapshots = store.subscribe();
    metrics.observe("etcd_modify_indexes", "Etcd modify index for APISIX keys", move |values| {
        let snapshot = snapshots.borrow().clone();
        for kind in COLLECTIONS {
            values.gauge(&[("key", kind.collection())], as_value(newest(&snapshot, kind)));
        }
        for key in REVISION {
            values.gauge(&[("key", key)], as_value(snapshot.revision));
        }
    });
    let plane = data_plane.clone();
    metrics.observe("plan_revision", "Revision of the configuration that requests are served by", move |values| {
        values.gauge(&[], as_value(plane.plan().revision));
    });
    let health = data_plane.health().clone();
    metrics.observe("upstream_status", "Upstream status from health check", move |values| {
        for checker in health.reports() {
            for node in &checker.nodes {
                let labels = [("name", &*checker.name), ("ip", &node.ip), ("port", &node.port.to_string())];
                values.gauge(&labels, if node.status.is_fit() { 1.0 } else { 0.0 });
            }
        }
    });
}

/// The last revision that wrote into a collection; 0 if it is empty.
fn newest(snapshot: &Snapshot, kind: Kind) -> u64 {
    let folder = format!("/apisix/{}/", kind.collection());
    snapshot.under(&folder).map(|item| item.modified_index).max().unwrap_or_default()
}

/// Revisions are far from 2^53.
fn as_value(revision: u64) -> f64 {
    revision as f64
}
