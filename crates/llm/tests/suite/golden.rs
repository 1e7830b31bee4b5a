//! Recorded exchanges of one api.

use std::path::PathBuf;

use serde_json::Value;

/// One recorded exchange.
pub struct Exchange {
    /// `provider/file`, for messages.
    pub name: String,
    pub status: u64,
    pub request: Value,
    /// A whole answer; null if there is none.
    pub body: Value,
    /// A stream's text.
    pub stream: Option<String>,
}

/// Every recorded exchange whose api is `api`. Empty, with a note, where there are none.
pub fn exchanges(api: &str) -> Vec<Exchange> {
    let Some(root) = std::env::var_os("TIDEGATE_FIXTURES") else {
        eprintln!("SKIPPED: TIDEGATE_FIXTURES is not set, so no recorded exchange was tested");
        return Vec::new();
    };
    let wire = PathBuf::from(root).join("wire");
    let folders = std::fs::read_dir(&wire).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let files = folders.flat_map(|folder| std::fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
    let mut exchanges = Vec::new();
    for file in files.filter(|path| path.extension().is_some_and(|extension| extension == "json")) {
        let mut recording: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        if recording["api"] != api {
            continue;
        }
        let mut response = recording["response"].take();
        exchanges.push(Exchange {
            name: file.strip_prefix(&wire).unwrap().display().to_string(),
            status: response["status"].as_u64().unwrap(),
            request: recording["request"]["body"].take(),
            body: response["body"].take(),
            stream: response["sse"].as_str().or(response["ndjson"].as_str()).map(str::to_owned),
        });
    }
    assert!(!exchanges.is_empty(), "no exchange of {api} under {}", wire.display());
    exchanges
}
