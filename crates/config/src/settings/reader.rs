//! Typed access to the values of `config.yaml`. A [`Reader`] stands on one mapping, remembers which keys were
//! asked for, and warns about the rest in [`Reader::finish`]. Every error carries file, path, what was
//! expected and what was there.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use serde_json::{Map, Value};

use super::SettingsError;
use super::substitute::{Substituted, element, field};
use super::units;
use crate::secret::Secret;

/// What all readers of one file share.
pub(super) struct Context<'a> {
    file: &'a str,
    substituted: Substituted,
    warnings: RefCell<Vec<Warning>>,
}

/// What is said of a place in the file that changes nothing.
pub(super) struct Warning {
    pub(super) path: String,
    pub(super) text: String,
}

/// One mapping of the file.
pub(super) struct Reader<'a> {
    context: &'a Context<'a>,
    path: String,
    /// `None` if the mapping is absent or null.
    fields: Option<&'a Map<String, Value>>,
    asked: BTreeSet<String>,
}

/// One value with its place, for errors about it.
#[derive(Clone)]
pub(super) struct Entry<'a> {
    context: &'a Context<'a>,
    pub(super) path: String,
    pub(super) value: &'a Value,
}

// === impl Context ===

impl<'a> Context<'a> {
    pub(super) fn new(file: &'a str, substituted: Substituted) -> Self {
        Self { file, substituted, warnings: RefCell::default() }
    }

    pub(super) fn into_warnings(self) -> Vec<Warning> {
        self.warnings.into_inner()
    }

    fn warn(&self, path: &str, text: &str) {
        self.warnings.borrow_mut().push(Warning { path: path.to_owned(), text: text.to_owned() });
    }
}

// === impl Warning ===

impl Warning {
    /// The sentence, with file and path.
    pub(super) fn told_of(&self, file: &str) -> String {
        format!("{file}: {} {}", self.path, self.text)
    }
}

// === impl Reader ===

impl<'a> Reader<'a> {
    pub(super) fn root(context: &'a Context<'a>, document: &'a Value) -> Result<Self, SettingsError> {
        Entry { context, path: String::new(), value: document }.reader()
    }

    /// The value of `key`; `None` if it is absent or null.
    pub(super) fn entry(&mut self, key: &str) -> Option<Entry<'a>> {
        self.asked.insert(key.to_owned());
        let value = self.fields?.get(key).filter(|value| !value.is_null())?;
        Some(Entry { context: self.context, path: field(&self.path, key), value })
    }

    /// `true` if `key` is written, with a value other than null.
    pub(super) fn has(&mut self, key: &str) -> bool {
        self.entry(key).is_some()
    }

    /// `true` if `key` is written as null, which removes APISIX's default.
    pub(super) fn is_removed(&self, key: &str) -> bool {
        self.fields.and_then(|fields| fields.get(key)).is_some_and(Value::is_null)
    }

    /// The mapping at `key`; empty if absent.
    pub(super) fn section(&mut self, key: &str) -> Result<Reader<'a>, SettingsError> {
        match self.entry(key) {
            Some(entry) => entry.reader(),
            None => {
                Ok(Reader { context: self.context, path: field(&self.path, key), fields: None, asked: BTreeSet::new() })
            }
        }
    }

    pub(super) fn flag(&mut self, key: &str, default: bool) -> Result<bool, SettingsError> {
        self.entry(key).map_or(Ok(default), |entry| entry.flag())
    }

    pub(super) fn integer(
        &mut self,
        key: &str,
        range: RangeInclusive<u64>,
        default: u64,
    ) -> Result<u64, SettingsError> {
        self.entry(key).map_or(Ok(default), |entry| entry.integer(range))
    }

    pub(super) fn text(&mut self, key: &str) -> Result<Option<String>, SettingsError> {
        self.entry(key).map(|entry| entry.text()).transpose()
    }

    pub(super) fn text_or(&mut self, key: &str, default: &str) -> Result<String, SettingsError> {
        Ok(self.text(key)?.unwrap_or_else(|| default.to_owned()))
    }

    pub(super) fn texts(&mut self, key: &str) -> Result<Option<Vec<String>>, SettingsError> {
        let Some(entry) = self.entry(key) else {
            return Ok(None);
        };
        entry.list()?.iter().map(Entry::text).collect::<Result<_, _>>().map(Some)
    }

    pub(super) fn duration(&mut self, key: &str, default: Duration) -> Result<Duration, SettingsError> {
        self.entry(key).map_or(Ok(default), |entry| entry.duration())
    }

    pub(super) fn bytes(&mut self, key: &str, default: u64) -> Result<u64, SettingsError> {
        self.entry(key).map_or(Ok(default), |entry| entry.bytes())
    }

    pub(super) fn port(&mut self, key: &str, default: u16) -> Result<u16, SettingsError> {
        self.entry(key).map_or(Ok(default), |entry| entry.port())
    }

    pub(super) fn ip(&mut self, key: &str, default: IpAddr) -> Result<IpAddr, SettingsError> {
        self.entry(key).map_or(Ok(default), |entry| entry.ip())
    }

    pub(super) fn networks(&mut self, key: &str) -> Result<Option<Vec<IpNet>>, SettingsError> {
        let Some(entry) = self.entry(key) else {
            return Ok(None);
        };
        entry.list()?.iter().map(Entry::network).collect::<Result<_, _>>().map(Some)
    }

    /// An error about `key`: this build cannot do it.
    pub(super) fn unsupported(&self, key: &str, got: &str, instead: &str) -> SettingsError {
        SettingsError::Unsupported {
            file: self.context.file.to_owned(),
            path: field(&self.path, key),
            got: got.to_owned(),
            instead: instead.to_owned(),
        }
    }

    /// Warns about those of `keys` that are written: APISIX has them, here they change nothing.
    pub(super) fn without_effect(&mut self, keys: &[&str]) {
        for key in keys {
            if let Some(entry) = self.entry(key) {
                entry.warn("has no effect in Tidegate");
            }
        }
    }

    /// Warns about `key` if it asks for what is not here; `false` asks for nothing. `instead` says what holds.
    pub(super) fn not_obeyed(&mut self, key: &str, instead: &str) {
        if let Some(entry) = self.entry(key)
            && *entry.value != false
        {
            entry.warn(&format!("has no effect in Tidegate: {instead}"));
        }
    }

    /// Warns about every key that nobody asked for.
    pub(super) fn finish(&mut self) {
        let Some(fields) = self.fields else { return };
        for key in fields.keys().filter(|key| !self.asked.contains(*key)) {
            self.context.warn(&field(&self.path, key), "is not known and is ignored");
        }
    }

    /// Every key with its value, asked for or not; none is warned about afterwards.
    pub(super) fn entries(&mut self) -> Vec<(&'a str, Entry<'a>)> {
        let Some(fields) = self.fields else {
            return Vec::new();
        };
        fields.iter().filter_map(|(key, _)| Some((key.as_str(), self.entry(key)?))).collect()
    }
}

// === impl Entry ===

impl<'a> Entry<'a> {
    /// An error about this value. `expected` completes "must be ...".
    pub(super) fn invalid(&self, expected: &str) -> SettingsError {
        SettingsError::Invalid {
            file: self.context.file.to_owned(),
            path: if self.path.is_empty() { "the file".to_owned() } else { self.path.clone() },
            expected: expected.to_owned(),
            got: describe(self.value),
        }
    }

    /// An error about this value that does not show it.
    pub(super) fn invalid_secret(&self, expected: &str) -> SettingsError {
        SettingsError::Invalid {
            file: self.context.file.to_owned(),
            path: self.path.clone(),
            expected: expected.to_owned(),
            got: "something else (not shown)".to_owned(),
        }
    }

    pub(super) fn unsupported(&self, instead: &str) -> SettingsError {
        SettingsError::Unsupported {
            file: self.context.file.to_owned(),
            path: self.path.clone(),
            got: describe(self.value),
            instead: instead.to_owned(),
        }
    }

    pub(super) fn warn(&self, text: &str) {
        self.context.warn(&self.path, text);
    }

    pub(super) fn reader(&self) -> Result<Reader<'a>, SettingsError> {
        let fields = self.value.as_object().ok_or_else(|| self.invalid("a mapping"))?;
        Ok(Reader { context: self.context, path: self.path.clone(), fields: Some(fields), asked: BTreeSet::new() })
    }

    pub(super) fn list(&self) -> Result<Vec<Entry<'a>>, SettingsError> {
        let items = self.value.as_array().ok_or_else(|| self.invalid("a list"))?;
        Ok(items
            .iter()
            .enumerate()
            .map(|(index, value)| Entry { context: self.context, path: element(&self.path, index), value })
            .collect())
    }

    pub(super) fn flag(&self) -> Result<bool, SettingsError> {
        self.value.as_bool().ok_or_else(|| self.invalid("true or false"))
    }

    /// nginx's flags, which may also be YAML's.
    pub(super) fn on_or_off(&self) -> Result<bool, SettingsError> {
        match self.value {
            Value::Bool(flag) => Ok(*flag),
            Value::String(text) if text == "on" => Ok(true),
            Value::String(text) if text == "off" => Ok(false),
            _ => Err(self.invalid("\"on\" or \"off\"")),
        }
    }

    pub(super) fn integer(&self, range: RangeInclusive<u64>) -> Result<u64, SettingsError> {
        self.value.as_u64().filter(|number| range.contains(number)).ok_or_else(|| match *range.end() {
            u64::MAX => self.invalid(&format!("an integer of at least {}", range.start())),
            end => self.invalid(&format!("{}..{end}", range.start())),
        })
    }

    pub(super) fn text(&self) -> Result<String, SettingsError> {
        self.as_text().ok_or_else(|| self.invalid("a text"))
    }

    pub(super) fn secret(&self) -> Result<Secret, SettingsError> {
        self.as_text().map(Secret::from).ok_or_else(|| self.invalid_secret("a text"))
    }

    fn as_text(&self) -> Option<String> {
        let substituted = self.context.substituted.get(&self.path).cloned();
        substituted.or_else(|| self.value.as_str().map(str::to_owned))
    }

    pub(super) fn duration(&self) -> Result<Duration, SettingsError> {
        let duration = match self.value {
            Value::Number(seconds) => seconds.as_u64().map(Duration::from_secs),
            Value::String(text) => units::duration(text),
            _ => None,
        };
        duration
            .filter(|duration| *duration <= units::LONGEST)
            .ok_or_else(|| self.invalid("a time like 60s, 10m or 1h30m"))
    }

    pub(super) fn bytes(&self) -> Result<u64, SettingsError> {
        let bytes = match self.value {
            Value::Number(bytes) => bytes.as_u64(),
            Value::String(text) => units::bytes(text),
            _ => None,
        };
        bytes.ok_or_else(|| self.invalid("a size like 0, 512k or 10m"))
    }

    pub(super) fn port(&self) -> Result<u16, SettingsError> {
        let port = self.integer(1..=u64::from(u16::MAX))?;
        u16::try_from(port).map_err(|_| self.invalid("1..65535"))
    }

    pub(super) fn ip(&self) -> Result<IpAddr, SettingsError> {
        const EXPECTED: &str = "an IP address";
        let text = self.value.as_str().ok_or_else(|| self.invalid(EXPECTED))?;
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        IpAddr::from_str(bare).map_err(|_| self.invalid(EXPECTED))
    }

    pub(super) fn network(&self) -> Result<IpNet, SettingsError> {
        const EXPECTED: &str = "an IP address or a network like 10.0.0.0/8";
        let text = self.value.as_str().ok_or_else(|| self.invalid(EXPECTED))?;
        let single = || IpAddr::from_str(text).map(IpNet::from);
        IpNet::from_str(text).or_else(|_| single()).map_err(|_| self.invalid(EXPECTED))
    }

    /// The value's counterpart in `choices`.
    pub(super) fn one_of<T: Copy>(&self, choices: &[(&str, T)]) -> Result<T, SettingsError> {
        let found = choices.iter().find(|(name, _)| self.value.as_str() == Some(*name));
        found.map(|(_, choice)| *choice).ok_or_else(|| {
            let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
            self.invalid(&format!("one of {}", names.join(", ")))
        })
    }
}

/// A value as an error shows it: scalars as they are, the rest by kind.
fn describe(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}
