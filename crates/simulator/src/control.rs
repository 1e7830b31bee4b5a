//! How tests look into a simulator that runs: everything under `/__simulator`.
//!
//! | Request | Answer |
//! |---|---|
//! | `GET /__simulator/health` | `{"status":"ok"}` |
//! | `GET /__simulator/requests` | counts of requests `received`, `completed` and `aborted`, and the recent `requests` |
//! | `POST /__simulator/reset` | forgets the requests, files and batches, and starts the script's counts afresh |
//! | `PUT /__simulator/script` | replaces the script |
//!
//! The recent requests stand oldest first, each with number, method, uri, version, headers, body (up to 64 KiB),
//! status, `events` sent, and `end`: `open`, `completed`, or `aborted` when the client left before the answer was
//! complete. Requests to these paths are neither scripted nor counted. What is shown includes credentials that clients
//! sent: keep the simulator on the loopback interface.

use http::{Method, StatusCode};
use serde_json::json;

use crate::dialect::Refusal;
use crate::dialect::wire::to_json;
use crate::script::Script;
use crate::service::{Outcome, Simulator};

pub(crate) const PREFIX: &str = "/__simulator/";

pub(crate) fn answer(simulator: &Simulator, method: &Method, path: &str, body: &[u8]) -> Result<Outcome, Refusal> {
    let answer = match (method.as_str(), path) {
        ("GET", "health") => json!({"status": "ok"}),
        ("GET", "requests") => simulator.journal.to_json(),
        ("POST", "reset") => {
            simulator.journal.reset();
            simulator.script.read().reset();
            simulator.shelf.clear();
            json!({"status": "ok"})
        }
        ("PUT", "script") => {
            let script = Script::parse(body).map_err(|error| Refusal::bad(error.to_string()))?;
            *simulator.script.write() = script;
            json!({"status": "ok"})
        }
        _ => {
            return Err(Refusal::new(StatusCode::NOT_FOUND, format!("The simulator has no {method} {PREFIX}{path}.")));
        }
    };
    Ok(Outcome::json(to_json(&answer)))
}
