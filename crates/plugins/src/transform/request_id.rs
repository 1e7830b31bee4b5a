//! `request-id`: gives each request an id that the upstream, the client and the logs all see. An id that the
//! client brought stays.

mod generate;

use gateway::answer::ResponseHead;
use gateway::exchange::Exchange;
use gateway::plugin::{Phases, Plugin, PluginDef, Step};
use http::header::{HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::definition::{self, FromConfig};
use crate::header_change::settable;

/// Where the id stands and how it is made.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// The header that carries the id, in the request and in the response.
    #[schemars(length(min = 1))]
    pub header_name: String,
    /// Tell the client too.
    pub include_in_response: bool,
    /// How an id is made.
    pub algorithm: Algorithm,
    /// For the algorithm `range_id`.
    pub range_id: RangeId,
}

/// How an id is made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// A random UUID, version 4.
    #[default]
    Uuid,
    /// 21 URL-safe characters.
    Nanoid,
    /// As many characters, of such kinds, as `range_id` says.
    RangeId,
    /// 27 characters that sort by time, to the second.
    Ksuid,
    /// A UUID that sorts by time, to the millisecond.
    Uuidv7,
}

/// The characters of a `range_id`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RangeId {
    /// How many.
    #[schemars(range(min = 6, max = 1024))]
    pub length: usize,
    /// Which; one that stands here twice comes twice as often.
    #[schemars(length(min = 6))]
    pub char_set: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            header_name: "X-Request-Id".to_owned(),
            include_in_response: true,
            algorithm: Algorithm::default(),
            range_id: RangeId::default(),
        }
    }
}

impl Default for RangeId {
    fn default() -> Self {
        Self { length: 16, char_set: "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789".to_owned() }
    }
}

pub(crate) fn definition() -> PluginDef {
    definition::plugin_made::<RequestId>("request-id", 12015)
}

struct RequestId {
    header: HeaderName,
    include_in_response: bool,
    algorithm: Algorithm,
    range_length: usize,
    range_characters: Box<[char]>,
}

/// The ids that this request has got, by header: a global rule and the route may each give one.
#[derive(Debug, Clone, Default)]
struct Given(Vec<(HeaderName, HeaderValue)>);

impl FromConfig for RequestId {
    type Config = Config;

    fn from_config(config: Config) -> Result<Self, String> {
        Ok(Self {
            header: settable(&config.header_name).map_err(|reason| format!("header_name {reason}"))?,
            include_in_response: config.include_in_response,
            algorithm: config.algorithm,
            range_length: config.range_id.length,
            range_characters: config.range_id.char_set.chars().collect(),
        })
    }
}

impl Plugin for RequestId {
    fn phases(&self) -> Phases {
        if self.include_in_response { Phases::REWRITE.and(Phases::RESPONSE_HEAD) } else { Phases::REWRITE }
    }

    fn leaves_credentials_alone(&self) -> bool {
        // What it makes up is nobody's key.
        true
    }

    fn rewrite<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        let brought = exchange.request.headers.get(&self.header).filter(|value| !value.is_empty()).cloned();
        let id = match brought {
            Some(value) => value,
            None => {
                let Ok(value) = HeaderValue::from_str(&self.generate()) else { return Step::Next };
                exchange.request.headers.insert(self.header.clone(), value.clone());
                value
            }
        };
        if let Ok(text) = id.to_str() {
            exchange.set_variable("apisix_request_id", text.to_owned());
        }
        if self.include_in_response {
            let mut given = exchange.slot::<Given>().cloned().unwrap_or_default();
            given.0.push((self.header.clone(), id));
            exchange.set_slot(given);
        }
        Step::Next
    }

    fn response_head(&self, exchange: &mut Exchange, head: &mut ResponseHead) {
        let Some(given) = exchange.slot::<Given>() else { return };
        if let Some((name, id)) = given.0.iter().find(|(name, _)| *name == self.header) {
            head.headers.entry(name.clone()).or_insert_with(|| id.clone());
        }
    }
}

impl RequestId {
    fn generate(&self) -> String {
        match self.algorithm {
            Algorithm::Uuid => generate::uuid(),
            Algorithm::Nanoid => generate::nanoid(),
            Algorithm::RangeId => generate::range_id(self.range_length, &self.range_characters),
            Algorithm::Ksuid => generate::ksuid(generate::since_epoch()),
            Algorithm::Uuidv7 => generate::uuid_v7(generate::since_epoch()),
        }
    }
}
