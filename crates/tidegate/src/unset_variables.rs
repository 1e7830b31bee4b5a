//! References to environment variables (`$env://NAME`) that this process cannot resolve. Nor could a gateway that is
//! started in the same environment: it would use the text of the reference in the secret's place. Called by `check`.

use config::secret::{Environment, Reference, resolve_all};
use serde_json::Value;

/// A sentence for each that stands in `value`, which is stored under `key`.
pub fn told(key: &str, value: &Value) -> Vec<String> {
    let unresolved = resolve_all(&mut value.clone(), &Environment::of_process());
    let told = |text: &str, pointer: &str| match referred(text)? {
        Reference::Environment { name, .. } => Some(format!(
            "{key}: {pointer}: {name} is not set in this environment; a gateway started in it takes the text {text:?} as it stands"
        )),
        Reference::File { .. } | Reference::Managed { .. } => None,
    };
    unresolved.iter().filter_map(|place| told(&place.reference, &place.pointer)).collect()
}

fn referred(text: &str) -> Option<Reference> {
    Reference::parse(text).or_else(|| Reference::parse_credentials(text).map(|(_, reference)| reference))
}
