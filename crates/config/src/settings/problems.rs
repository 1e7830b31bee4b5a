//! Everything that is wrong in a `config.yaml`. Reading stops at the first wrong value, so that nothing works with half
//! of the settings; here each wrong value is taken out and the rest read again. Called for a file that was refused.

use std::collections::BTreeMap;

use serde_json::Value;

use super::reader::Warning;
use super::{Settings, SettingsError, yaml};

/// What there is to say about a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems {
    /// For what it is refused, in the order in which it is read; none if it is not.
    pub errors: Vec<SettingsError>,
    /// What has no effect, each a full sentence with file and path. Of parts that are wrong as a whole nothing is said.
    pub warnings: Vec<String>,
}

/// Every problem of `text`. The arguments are those of [`Settings::load`].
pub(super) fn all(text: &str, file_name: &str, env: &dyn Fn(&str) -> Option<String>) -> Problems {
    let mut document = match yaml::parse(text, file_name) {
        Ok(document) => document,
        Err(error) => return Problems { errors: vec![error], warnings: Vec::new() },
    };
    let (mut errors, mut places) = (Vec::new(), Vec::<String>::new());
    let mut taken = Taken::default();
    loop {
        let mut error = match Settings::from_document(document.clone(), file_name, env) {
            Ok((_, warnings)) => {
                let warnings = warnings.into_iter().map(|warning| taken.placed(warning).told_of(file_name)).collect();
                return Problems { errors, warnings };
            }
            Err(error) => error,
        };
        let Some(path) = error.path_mut().and_then(|path| {
            *path = taken.take_out(&mut document, path)?;
            Some(path.clone())
        }) else {
            errors.push(error);
            return Problems { errors, warnings: Vec::new() };
        };
        // What is wrong only without a part that was taken out of it was told with that part.
        if !places.iter().any(|place| is_within(place, &path)) {
            errors.push(error);
        }
        places.push(path);
    }
}

/// Whether the value at `path` is a part of the one at `whole`.
fn is_within(path: &str, whole: &str) -> bool {
    path.strip_prefix(whole).is_some_and(|rest| rest.starts_with(['.', '[']))
}

/// What is no more in the document: by list, the places that its elements had at first.
#[derive(Default)]
struct Taken {
    elements: BTreeMap<String, Vec<usize>>,
}

impl Taken {
    /// Takes the value at `path` out of `document`; where it stood in the file. `None` if there is none.
    fn take_out(&mut self, document: &mut Value, path: &str) -> Option<String> {
        let steps = steps(path);
        let (last, before) = steps.split_last()?;
        let mut original = String::new();
        let mut here = document;
        for step in before {
            let next = match step {
                Step::Field(name) => here.get_mut(*name),
                Step::Element(at) => here.get_mut(*at),
            };
            self.append(&mut original, step);
            here = next?;
        }
        let list = original.clone();
        self.append(&mut original, last);
        match (last, here) {
            (Step::Field(name), Value::Object(fields)) if fields.contains_key(*name) => {
                fields.shift_remove(*name);
            }
            (Step::Element(at), Value::Array(items)) if *at < items.len() => {
                items.remove(*at);
                let place = self.place(&list, *at);
                let places = self.elements.entry(list).or_default();
                places.push(place);
                places.sort_unstable();
            }
            _ => return None,
        }
        Some(original)
    }

    /// `warning` at the place in the file that it is about.
    fn placed(&self, warning: Warning) -> Warning {
        let mut path = String::new();
        steps(&warning.path).iter().for_each(|step| self.append(&mut path, step));
        Warning { path, ..warning }
    }

    fn append(&self, original: &mut String, step: &Step<'_>) {
        *original = match step {
            Step::Field(name) => super::substitute::field(original, name),
            Step::Element(at) => super::substitute::element(original, self.place(original, *at)),
        };
    }

    /// The place in the file of what is now the element `at` of `list`.
    fn place(&self, list: &str, at: usize) -> usize {
        let taken = self.elements.get(list).into_iter().flatten();
        taken.fold(at, |place, taken| if *taken <= place { place + 1 } else { place })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step<'p> {
    Field(&'p str),
    Element(usize),
}

/// The steps of `a.b[2].c`.
fn steps(path: &str) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    for part in path.split('.').filter(|part| !part.is_empty()) {
        let (name, elements) = part.split_at(part.find('[').unwrap_or(part.len()));
        steps.push(Step::Field(name));
        let numbers = elements.split(['[', ']']).filter_map(|number| number.parse().ok());
        steps.extend(numbers.map(Step::Element));
    }
    steps
}
