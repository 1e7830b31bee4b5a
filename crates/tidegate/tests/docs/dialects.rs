//! What each pair of dialects carries, from the lists that the dialects' writers are tested against.

use llm::Dialect;
use llm::model::Feature;

/// Rows are clients, columns are providers; a cell names what the client's dialect can say and the provider's cannot.
pub fn pairs() -> String {
    let mut table = "| from \\ to |".to_owned();
    Dialect::ALL.iter().for_each(|provider| table.push_str(&format!(" `{provider}` |")));
    table.push_str("\n|---|");
    Dialect::ALL.iter().for_each(|_| table.push_str("---|"));
    table.push('\n');
    for client in Dialect::ALL {
        table.push_str(&format!("| `{client}` |"));
        for provider in Dialect::ALL {
            table.push_str(&format!(" {} |", lost(client, provider)));
        }
        table.push('\n');
    }
    table
}

fn lost(client: Dialect, provider: Dialect) -> String {
    if client == provider {
        return "untouched".to_owned();
    }
    let carried = provider.carries();
    let lost = client.carries().iter().filter(|feature| !carried.contains(feature));
    let names: Vec<String> = lost.map(|feature| format!("`{feature}`")).collect();
    if names.is_empty() { "all".to_owned() } else { names.join(", ") }
}

/// What each name means, and which dialects have words for it.
pub fn features() -> String {
    let mut table = "| Name | Meaning |".to_owned();
    Dialect::ALL.iter().for_each(|dialect| table.push_str(&format!(" `{dialect}` |")));
    table.push_str("\n|---|---|");
    Dialect::ALL.iter().for_each(|_| table.push_str("---|"));
    table.push('\n');
    for feature in Feature::ALL {
        table.push_str(&format!("| `{feature}` | {} |", feature.meaning().trim()));
        for dialect in Dialect::ALL {
            let mark = if dialect.carries().contains(feature) { "yes" } else { "" };
            table.push_str(&format!(" {mark} |"));
        }
        table.push('\n');
    }
    table
}
