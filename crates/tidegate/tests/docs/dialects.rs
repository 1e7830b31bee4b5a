//! What each pair of dialects carries, from the lists that the writers are tested against.

use llm::model::Feature;
use llm::{Dialect, ProviderDialect};

/// The dialects, then the forms that only providers have a place for in these tables.
fn providers() -> impl Iterator<Item = ProviderDialect> {
    Dialect::ALL.into_iter().map(ProviderDialect::Shared).chain(ProviderDialect::OWN_FORMS)
}

/// A table's head behind its first columns, and the line below it; `firsts` is how many those are.
fn head(table: &mut String, firsts: usize) {
    providers().for_each(|provider| table.push_str(&format!(" `{provider}` |")));
    table.push_str("\n|");
    (0..firsts + providers().count()).for_each(|_| table.push_str("---|"));
    table.push('\n');
}

/// Rows are clients, columns are providers; a cell names what the client's dialect can say and the provider's cannot.
pub fn pairs() -> String {
    let mut table = "| from \\ to |".to_owned();
    head(&mut table, 1);
    for client in Dialect::ALL {
        table.push_str(&format!("| `{client}` |"));
        for provider in providers() {
            table.push_str(&format!(" {} |", lost(client, provider)));
        }
        table.push('\n');
    }
    table
}

fn lost(client: Dialect, provider: ProviderDialect) -> String {
    if provider == ProviderDialect::Shared(client) {
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
    head(&mut table, 2);
    for feature in Feature::ALL {
        table.push_str(&format!("| `{feature}` | {} |", feature.meaning().trim()));
        for provider in providers() {
            let mark = if provider.carries().contains(feature) { "yes" } else { "" };
            table.push_str(&format!(" {mark} |"));
        }
        table.push('\n');
    }
    table
}
