//! Recorded exchanges between clients and providers.

use std::path::PathBuf;

use serde_json::Value;
use tidegate_llm::Protocol;

/// One recorded exchange.
pub struct Recording {
    /// `provider/file`, for messages.
    pub name: String,
    pub protocol: Protocol,
    /// Empty where the exchange names none.
    pub model: String,
    pub features: Vec<String>,
    pub status: u64,
    pub request: Value,
    pub answer: Answer,
}

pub enum Answer {
    Json(Value),
    Stream(String),
    None,
}

impl Recording {
    pub fn stream(&self) -> Option<&str> {
        match &self.answer {
            Answer::Stream(text) => Some(text),
            Answer::Json(_) | Answer::None => None,
        }
    }

    pub fn json(&self) -> Option<&Value> {
        match &self.answer {
            Answer::Json(value) => Some(value),
            Answer::Stream(_) | Answer::None => None,
        }
    }

    pub fn has(&self, feature: &str) -> bool {
        self.features.iter().any(|known| known == feature)
    }
}

/// The protocols whose facts are read without a full reader.
const READ_IN_PLACE: [Protocol; 5] = [
    Protocol::OpenAiChat,
    Protocol::OpenAiResponses,
    Protocol::OpenAiEmbeddings,
    Protocol::AnthropicMessages,
    Protocol::BedrockConverse,
];

/// Every recording of a protocol that is read in place. Empty, with a note, where there are none.
pub fn all() -> Vec<Recording> {
    let mut recordings = Vec::new();
    let mut files = 0;
    each(|name, text| {
        files += 1;
        recordings.extend(read(name, text));
    });
    assert!(files == 0 || recordings.len() > 500, "only {} recordings in {files} files", recordings.len());
    recordings.sort_by(|one, other| one.name.cmp(&other.name));
    recordings
}

/// Gives the name and the text of every recording to `visit`.
fn each(mut visit: impl FnMut(String, &[u8])) {
    let Some(root) = std::env::var_os("TIDEGATE_FIXTURES") else {
        eprintln!("SKIPPED: TIDEGATE_FIXTURES is not set, so no recorded exchange was tested");
        return;
    };
    let wire = PathBuf::from(root).join("wire");
    for provider in std::fs::read_dir(&wire).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        for file in std::fs::read_dir(&provider).unwrap().map(|entry| entry.unwrap().path()) {
            if file.extension().is_some_and(|extension| extension == "json") {
                let name = file.strip_prefix(&wire).unwrap().display().to_string();
                visit(name, &std::fs::read(&file).unwrap());
            }
        }
    }
}

fn read(name: String, text: &[u8]) -> Option<Recording> {
    let recording: Value = serde_json::from_slice(text).unwrap();
    let protocol = match recording["api"].as_str().unwrap() {
        // Mistral's own endpoint speaks the chat dialect with a few additions.
        "mistral-chat" => Protocol::OpenAiChat,
        api => api.parse().ok().filter(|protocol| READ_IN_PLACE.contains(protocol))?,
    };
    let response = &recording["response"];
    let answer = match (response.get("sse"), response.get("body")) {
        (Some(stream), _) => Answer::Stream(stream.as_str().unwrap().to_owned()),
        (None, Some(body)) => Answer::Json(body.clone()),
        (None, None) => Answer::None,
    };
    let features = recording["features"].as_array().unwrap();
    Some(Recording {
        protocol,
        model: recording["model"].as_str().unwrap_or_default().to_owned(),
        features: features.iter().map(|feature| feature.as_str().unwrap().to_owned()).collect(),
        status: response["status"].as_u64().unwrap(),
        request: recording["request"]["body"].clone(),
        answer,
        name,
    })
}

/// A recorded exchange which the provider refused, of any API.
pub struct Refusal {
    pub name: String,
    pub api: String,
    pub status: u16,
    /// `x-amzn-errortype`, where it was recorded.
    pub amzn_errortype: Option<String>,
    pub body: Value,
}

/// Every refusal with a JSON body. Empty, with a note, where there are no recordings.
pub fn refusals() -> Vec<Refusal> {
    let mut refusals = Vec::new();
    each(|name, text| {
        let recording: Value = serde_json::from_slice(text).unwrap();
        let response = &recording["response"];
        let status = response["status"].as_u64().unwrap();
        if let Some(body) = response.get("body").filter(|body| status >= 400 && body.is_object()) {
            refusals.push(Refusal {
                name,
                api: recording["api"].as_str().unwrap().to_owned(),
                status: u16::try_from(status).unwrap(),
                amzn_errortype: response["headers"]["x-amzn-errortype"].as_str().map(str::to_owned),
                body: body.clone(),
            });
        }
    });
    refusals
}
