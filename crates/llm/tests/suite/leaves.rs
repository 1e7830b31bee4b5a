//! The strings and numbers in a JSON value, to see what became of each on its way through the model.

use std::collections::BTreeMap;

use serde_json::Value;

/// Leaves of `before` that `after` has fewer of, each with a path at which it stood.
pub fn missing(before: &Value, after: &Value) -> Vec<String> {
    let (mut known, mut left) = (BTreeMap::new(), BTreeMap::new());
    collect(String::new(), before, &mut known);
    collect(String::new(), after, &mut left);
    let lacking = |(leaf, paths): (&String, &Vec<String>)| {
        let missing = paths.len() > left.get(leaf).map_or(0, Vec::len);
        missing.then(|| format!("{} = {leaf}", paths[0]))
    };
    known.iter().filter_map(lacking).collect()
}

fn collect(path: String, value: &Value, leaves: &mut BTreeMap<String, Vec<String>>) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| collect(format!("{path}/{name}"), value, leaves));
        }
        Value::Array(elements) => {
            elements.iter().enumerate().for_each(|(at, value)| collect(format!("{path}/{at}"), value, leaves));
        }
        Value::String(_) | Value::Number(_) => leaves.entry(value.to_string()).or_default().push(path),
        Value::Bool(_) | Value::Null => {}
    }
}
