//! The providers that are routed to without configuration, as data: which environment variable tells of one, where
//! it is, and which models are its own. The order matters twice: where there is no server of one's own, the first one
//! found also gets the models that nobody claims, and earlier claims win over later ones. A name with a tag such as
//! `mistral-small:24b` is that server's, unless a vendor stands before it as in OpenRouter's names.

use llm::KeyPlace;

/// What an environment variable holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variable {
    /// The API key.
    Key(&'static str),
    /// The server's address, as Ollama's own client reads it; no key is needed.
    Address(&'static str),
}

/// Where requests go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// Where the driver of `ai-proxy` knows to send them.
    OfDriver,
    /// The server named by [`Variable::Address`], with this port if it names none.
    FromVariable { port: u16 },
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
    /// A pattern for the names of its models.
    pub models: &'static str,
    /// A model to try.
    pub example: &'static str,
}

use Endpoint::{FromVariable, OfDriver};
use Variable::{Address, Key};

/// All of them.
pub static PROVIDERS: [Provider; 11] = [
    Provider {
        id: "openai",
        name: "OpenAI",
        variable: Key("OPENAI_API_KEY"),
        driver: "openai",
        endpoint: OfDriver,
        models: "^(ft:|(gpt-[0-9]|chatgpt-|codex-|o[0-9]|text-embedding-[0-9a]|omni-moderation-|text-moderation-)[^:]*$)",
        example: "gpt-4o-mini",
    },
    Provider {
        id: "anthropic",
        name: "Anthropic",
        variable: Key("ANTHROPIC_API_KEY"),
        driver: "anthropic",
        endpoint: OfDriver,
        models: "^claude-[^:]*$",
        example: "claude-haiku-4-5",
    },
    Provider {
        id: "gemini",
        name: "Google Gemini",
        variable: Key("GEMINI_API_KEY"),
        driver: "gemini",
        endpoint: OfDriver,
        models: "^(models/)?gem(ini|ma)-[^:]*$",
        example: "gemini-2.5-flash",
    },
    Provider {
        id: "deepseek",
        name: "DeepSeek",
        variable: Key("DEEPSEEK_API_KEY"),
        driver: "deepseek",
        endpoint: OfDriver,
        models: "^deepseek-(chat|reasoner)[^:]*$",
        example: "deepseek-chat",
    },
    Provider {
        id: "dashscope",
        name: "Alibaba Cloud Model Studio (Qwen)",
        variable: Key("DASHSCOPE_API_KEY"),
        driver: "dashscope",
        endpoint: OfDriver,
        models: "^(qwen|qwq|qvq|text-embedding-v|gte-rerank)[^/:]*$",
        example: "qwen-plus",
    },
    Provider {
        id: "mistral",
        name: "Mistral AI",
        variable: Key("MISTRAL_API_KEY"),
        driver: "mistral",
        endpoint: OfDriver,
        models: "^(mistral|ministral|magistral|codestral|devstral|pixtral|open-mi[sx]tral)-[^:]*$",
        example: "mistral-small-latest",
    },
    Provider {
        id: "xai",
        name: "xAI",
        variable: Key("XAI_API_KEY"),
        driver: "xai",
        endpoint: OfDriver,
        models: "^grok-[^:]*$",
        example: "grok-4",
    },
    Provider {
        id: "ark",
        name: "Volcengine Ark (Doubao)",
        variable: Key("ARK_API_KEY"),
        driver: "volcengine-ark",
        endpoint: OfDriver,
        models: "^(doubao-|ep-)[^:]*$",
        example: "doubao-seed-1-6-250615",
    },
    Provider {
        id: "groq",
        name: "Groq",
        variable: Key("GROQ_API_KEY"),
        driver: "groq",
        endpoint: OfDriver,
        models: "^(llama-[0-9.]+-[0-9]+b-|openai/gpt-oss-|groq/)[^:]*$",
        example: "llama-3.3-70b-versatile",
    },
    Provider {
        id: "openrouter",
        name: "OpenRouter",
        variable: Key("OPENROUTER_API_KEY"),
        driver: "openrouter",
        endpoint: OfDriver,
        // Names that begin with this host are Ollama's for models of another registry.
        models: "^(?!hf[.]co/|huggingface[.]co/)[^/]+/",
        example: "openrouter/auto",
    },
    Provider {
        id: "ollama",
        name: "Ollama",
        variable: Address("OLLAMA_HOST"),
        driver: "ollama",
        endpoint: FromVariable { port: 11434 },
        models: ":",
        example: "llama3.2",
    },
];

impl Provider {
    /// How it wants to be shown its key: the header, and what stands before the key.
    pub fn key_header(&self) -> (&'static str, &'static str) {
        match llm::Provider::by_name(self.driver).map(|row| row.key) {
            Some(KeyPlace::Header(name)) => (name, ""),
            Some(KeyPlace::Bearer | KeyPlace::SigV4) | None => ("Authorization", "Bearer "),
        }
    }

    /// The environment variable that tells of it.
    pub fn variable_name(&self) -> &'static str {
        let (Key(name) | Address(name)) = self.variable;
        name
    }

    /// `override.endpoint` of `ai-proxy`, if it needs one; `value` is what the environment variable holds.
    pub fn endpoint(&self, value: &str) -> Option<String> {
        match self.endpoint {
            OfDriver => None,
            FromVariable { port } => Some(server_of(value, port)),
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
