//! `/v1/server_info`: which installation this is and since when it runs. APISIX has it in a plugin that is off by
//! default; here it is always there.

use config::APISIX_VERSION;
use std::time::SystemTime;

use http::StatusCode;
use serde_json::json;

use crate::reply::Reply;

/// What does not change while the process runs.
#[derive(Debug, Clone)]
pub struct ServerInfo {
    pub hostname: String,
    /// `apisix.id`, or an id that the installation keeps.
    pub id: String,
    pub booted: SystemTime,
}

impl ServerInfo {
    pub(super) fn reply(&self) -> Reply {
        let boot_time = self.booted.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let body = json!({
            // What APISIX says before it has asked etcd; there is none here.
            "etcd_version": "unknown",
            "hostname": self.hostname,
            "id": self.id,
            "version": APISIX_VERSION,
            "boot_time": boot_time,
        });
        Reply::json(StatusCode::OK, &body)
    }
}
