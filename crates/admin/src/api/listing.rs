//! Lists: which items the query's filters let through, and which page of them is wanted. Invariant: `total`
//! counts what the filters let through, before paging. Called by the read verbs of every collection.

use std::sync::Arc;

use config::resource::Kind;
use fancy_regex::Regex;
use serde_json::Value;
use store::Item;

use super::refusal::Refusal;
use crate::query::Query;

/// Filters and paging of one list request.
#[derive(Debug)]
pub(crate) struct Listing {
    filters: Vec<Filter>,
    page: Option<Page>,
}

#[derive(Debug, Clone, Copy)]
struct Page {
    /// From 1.
    number: usize,
    /// 10..=500.
    size: usize,
}

/// One condition; all must hold.
#[derive(Debug)]
enum Filter {
    /// `None`: a pattern that does not compile matches nothing.
    Name(Option<Regex>),
    Uri(Option<Regex>),
    /// A label of exactly this key.
    Label(String),
    /// A field that equals this string; integer ids do not.
    Field(&'static str, String),
}

impl Listing {
    /// No filter, one page.
    pub(crate) fn everything() -> Self {
        Self { filters: Vec::new(), page: None }
    }

    /// Reads the arguments that `kind` supports; all others are ignored.
    pub(crate) fn parse(query: &Query, kind: Kind) -> Result<Self, Refusal> {
        let mut filters = Vec::new();
        filters.extend(query.get("name").map(|pattern| Filter::Name(Regex::new(pattern).ok())));
        filters.extend(query.get("uri").map(|pattern| Filter::Uri(Regex::new(pattern).ok())));
        filters.extend(query.get("label").map(|label| Filter::Label(label.to_owned())));
        if let (Kind::Route | Kind::StreamRoute, Some(text)) = (kind, query.get("filter")) {
            let wanted = Query::parse(text);
            for field in ["service_id", "upstream_id"] {
                filters.extend(wanted.last(field).map(|value| Filter::Field(field, value.to_owned())));
            }
        }
        Ok(Self { filters, page: Page::parse(query)? })
    }

    /// The wanted items and the total.
    pub(crate) fn select<'a>(&self, items: impl Iterator<Item = &'a Arc<Item>>) -> (Vec<&'a Arc<Item>>, usize) {
        let mut kept: Vec<_> =
            items.filter(|item| self.filters.iter().all(|filter| filter.accepts(&item.value))).collect();
        let total = kept.len();
        if let Some(page) = self.page {
            kept.sort_by_key(|item| item.created_index);
            let skipped = (page.number - 1).saturating_mul(page.size);
            kept = kept.into_iter().skip(skipped).take(page.size).collect();
        }
        (kept, total)
    }
}

impl Page {
    /// Paging happens only if both arguments are numbers.
    fn parse(query: &Query) -> Result<Option<Self>, Refusal> {
        let (Some(number), Some(size)) = (number(query, "page"), number(query, "page_size")) else {
            return Ok(None);
        };
        if !(10.0..=500.0).contains(&size) {
            return Err(Refusal::Argument("page_size must be between 10 and 500"));
        }
        Ok(Some(Self { number: number.max(1.0) as usize, size: size as usize }))
    }
}

fn number(query: &Query, name: &str) -> Option<f64> {
    query.get(name)?.trim().parse::<f64>().ok().filter(|number| number.is_finite())
}

impl Filter {
    fn accepts(&self, value: &Value) -> bool {
        match self {
            Filter::Name(pattern) => value["name"].as_str().is_some_and(|name| finds(pattern, name)),
            Filter::Uri(pattern) => {
                let many = value["uris"].as_array().into_iter().flatten();
                many.chain([&value["uri"]]).filter_map(Value::as_str).any(|uri| finds(pattern, uri))
            }
            Filter::Label(label) => value["labels"].get(label).is_some(),
            Filter::Field(field, wanted) => value[*field].as_str() == Some(wanted),
        }
    }
}

/// A search, not a full match. One that exceeds the engine's step limit finds nothing.
fn finds(pattern: &Option<Regex>, text: &str) -> bool {
    pattern.as_ref().is_some_and(|pattern| pattern.is_match(text).unwrap_or(false))
}
