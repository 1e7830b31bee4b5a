//! The providers that are routed to without configuration, as data: which environment variable tells of one, where
//! it is, and which models are its own. The order matters twice: the first one found also gets the models that
//! nobody claims, and earlier claims win over later ones.

/// What an environment variable holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variable {
    /// The API key, sent as `Authorization: Bearer KEY`.
    Key(&'static str),
    /// The server's address, as Ollama's own client reads it; no key is needed.
    Address(&'static str),
}

/// Where requests go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// Where the driver of `ai-proxy` knows to send them.
    OfDriver,
    /// A server with OpenAI's paths below it.
    Server(&'static str),
    /// One URL; only chat goes there.
    Chat(&'static str),
    /// The server named by [`Variable::Address`], with this port if it names none.
    FromVariable { port: u16 },
}

/// What is served beside chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    Chat,
    ChatAndEmbeddings,
    ChatAndResponses,
    All,
}

/// One provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Provider {
    /// Part of the route's id, and a label.
    pub id: &'static str,
    pub name: &'static str,
    pub variable: Variable,
    /// `ai-proxy`'s `provider`.
    pub driver: &'static str,
    pub endpoint: Endpoint,
    pub offer: Offer,
    /// A pattern for the names of its models.
    pub models: &'static str,
    /// A model to try.
    pub example: &'static str,
}

use Endpoint::{Chat, FromVariable, OfDriver, Server};
use Variable::{Address, Key};

const COMPATIBLE: &str = "openai-compatible";

/// All of them.
pub static PROVIDERS: [Provider; 11] = [
    Provider {
        id: "openai",
        name: "OpenAI",
        variable: Key("OPENAI_API_KEY"),
        driver: "openai",
        endpoint: OfDriver,
        offer: Offer::All,
        models: "^(gpt-[0-9]|chatgpt-|codex-|o[0-9]|text-embedding-[0-9a])",
        example: "gpt-4o-mini",
    },
    Provider {
        id: "anthropic",
        name: "Anthropic",
        variable: Key("ANTHROPIC_API_KEY"),
        driver: COMPATIBLE,
        endpoint: Server("https://api.anthropic.com"),
        offer: Offer::Chat,
        models: "^claude-",
        example: "claude-haiku-4-5",
    },
    Provider {
        id: "gemini",
        name: "Google Gemini",
        variable: Key("GEMINI_API_KEY"),
        driver: COMPATIBLE,
        endpoint: Chat("https://generativelanguage.googleapis.com/v1beta/openai/chat/completions"),
        offer: Offer::Chat,
        models: "^(models/)?gem(ini|ma)-",
        example: "gemini-2.5-flash",
    },
    Provider {
        id: "deepseek",
        name: "DeepSeek",
        variable: Key("DEEPSEEK_API_KEY"),
        driver: "deepseek",
        endpoint: OfDriver,
        offer: Offer::Chat,
        models: "^deepseek-(chat|reasoner)",
        example: "deepseek-chat",
    },
    Provider {
        id: "dashscope",
        name: "Alibaba Cloud Model Studio (Qwen)",
        variable: Key("DASHSCOPE_API_KEY"),
        driver: COMPATIBLE,
        endpoint: Chat("https://dashscope.aliyuncs.com/compatible-mode/v1/chat/completions"),
        offer: Offer::Chat,
        models: "^(qwen|qwq|qvq)[^/:]*$",
        example: "qwen-plus",
    },
    Provider {
        id: "mistral",
        name: "Mistral AI",
        variable: Key("MISTRAL_API_KEY"),
        driver: COMPATIBLE,
        endpoint: Server("https://api.mistral.ai"),
        offer: Offer::ChatAndEmbeddings,
        models: "^(mistral|ministral|magistral|codestral|devstral|pixtral|open-mi[sx]tral)-",
        example: "mistral-small-latest",
    },
    Provider {
        id: "xai",
        name: "xAI",
        variable: Key("XAI_API_KEY"),
        driver: COMPATIBLE,
        endpoint: Server("https://api.x.ai"),
        offer: Offer::ChatAndResponses,
        models: "^grok-",
        example: "grok-4",
    },
    Provider {
        id: "ark",
        name: "Volcengine Ark (Doubao)",
        variable: Key("ARK_API_KEY"),
        driver: COMPATIBLE,
        endpoint: Chat("https://ark.cn-beijing.volces.com/api/v3/chat/completions"),
        offer: Offer::Chat,
        models: "^(doubao-|ep-)",
        example: "doubao-seed-1-6-250615",
    },
    Provider {
        id: "groq",
        name: "Groq",
        variable: Key("GROQ_API_KEY"),
        driver: COMPATIBLE,
        endpoint: Chat("https://api.groq.com/openai/v1/chat/completions"),
        offer: Offer::Chat,
        models: "^(llama-[0-9.]+-[0-9]+b-|openai/gpt-oss-|groq/)",
        example: "llama-3.3-70b-versatile",
    },
    Provider {
        id: "openrouter",
        name: "OpenRouter",
        variable: Key("OPENROUTER_API_KEY"),
        driver: "openrouter",
        endpoint: OfDriver,
        offer: Offer::Chat,
        models: "/",
        example: "openrouter/auto",
    },
    Provider {
        id: "ollama",
        name: "Ollama",
        variable: Address("OLLAMA_HOST"),
        driver: COMPATIBLE,
        endpoint: FromVariable { port: 11434 },
        offer: Offer::All,
        models: ":",
        example: "llama3.2",
    },
];

impl Provider {
    /// The environment variable that tells of it.
    pub fn variable_name(&self) -> &'static str {
        let (Key(name) | Address(name)) = self.variable;
        name
    }

    /// `override.endpoint` of `ai-proxy`, if it needs one; `value` is what the environment variable holds.
    pub fn endpoint(&self, value: &str) -> Option<String> {
        match self.endpoint {
            OfDriver => None,
            Server(url) | Chat(url) => Some(url.to_owned()),
            FromVariable { port } => Some(server_of(value, port)),
        }
    }
}

impl Offer {
    /// The paths of a route to it.
    pub fn uris(self) -> &'static [&'static str] {
        match self {
            Offer::Chat => &["/v1/chat/completions"],
            Offer::ChatAndEmbeddings => &["/v1/chat/completions", "/v1/embeddings"],
            Offer::ChatAndResponses => &["/v1/chat/completions", "/v1/responses"],
            Offer::All => &["/v1/chat/completions", "/v1/embeddings", "/v1/responses"],
        }
    }
}

/// A server's URL from what `OLLAMA_HOST` may hold: a URL, `host:port`, a host or a port; and `0.0.0.0`, which a server
/// listens on and nobody can call.
fn server_of(text: &str, default_port: u16) -> String {
    let text = text.trim().trim_end_matches('/');
    let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
    let (host, path) = rest.split_once('/').map_or((rest, ""), |(host, path)| (host, path));
    let (host, port) = match host.rsplit_once(':') {
        Some((name, port)) if !name.ends_with(':') && port.parse::<u16>().is_ok() => (name, port.to_owned()),
        _ if text.contains("://") => (host, if scheme == "https" { "443" } else { "80" }.to_owned()),
        _ => (host, default_port.to_string()),
    };
    let host = if matches!(host, "" | "0.0.0.0" | "[::]") { "127.0.0.1" } else { host };
    let slash = if path.is_empty() { "" } else { "/" };
    format!("{scheme}://{host}:{port}{slash}{path}")
}
