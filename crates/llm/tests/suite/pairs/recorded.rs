//! The recorded exchanges of the six dialects, with their wire bytes.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tidegate_llm::Dialect;

/// One recorded exchange.
pub struct Exchange {
    /// `provider/file`, for messages.
    pub name: String,
    pub dialect: Dialect,
    pub request: Option<Vec<u8>>,
    /// A whole answer that is no error.
    pub answer: Option<Vec<u8>>,
    pub stream: Option<Vec<u8>>,
}

/// All of them. Empty, with a note, where there are no recordings.
pub fn exchanges() -> &'static [Exchange] {
    static EXCHANGES: LazyLock<Vec<Exchange>> = LazyLock::new(read_all);
    if EXCHANGES.is_empty() {
        eprintln!("SKIPPED: TIDEGATE_FIXTURES is not set, so no recorded exchange was translated");
    }
    &EXCHANGES
}

fn read_all() -> Vec<Exchange> {
    let Some(root) = std::env::var_os("TIDEGATE_FIXTURES") else { return Vec::new() };
    let wire = std::path::PathBuf::from(root).join("wire");
    let folders = std::fs::read_dir(&wire).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let files = folders.flat_map(|folder| std::fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let read = |path: std::path::PathBuf| {
        let recording = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        exchange(path.strip_prefix(&wire).unwrap().display().to_string(), &recording)
    };
    let mut exchanges: Vec<Exchange> = files.filter_map(read).collect();
    exchanges.sort_by(|one, other| one.name.cmp(&other.name));
    assert!(exchanges.len() > 500, "only {} exchanges", exchanges.len());
    exchanges
}

fn exchange(name: String, recording: &Value) -> Option<Exchange> {
    let dialect = match recording["api"].as_str().unwrap() {
        "mistral-chat" => Dialect::OpenAiChat,
        api => api.parse().ok()?,
    };
    let (request, response) = (&recording["request"]["body"], &recording["response"]);
    let is_good = response["status"] == 200;
    let text = response["sse"].as_str().map(|text| text.as_bytes().to_vec());
    let messages = response["eventstream_b64"].as_str().map(|text| STANDARD.decode(text).unwrap());
    Some(Exchange {
        name,
        dialect,
        request: request.is_object().then(|| request.to_string().into_bytes()),
        answer: (is_good && response["body"].is_object()).then(|| response["body"].to_string().into_bytes()),
        stream: text.or(messages).filter(|_| is_good),
    })
}
