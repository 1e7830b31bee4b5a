//! What was found wrong with stored resources. Plans are built anew with every change of any resource, so the log is
//! told of a fault once, and again only when the resource or the fault has changed. Used while a plan is built.

use serde_json::Value;

use super::build::kept::Kept;

/// The faults of the last plan, by what they are about.
#[derive(Default)]
pub(super) struct Complaints {
    told: Kept<Box<str>, Fault>,
}

struct Fault {
    source: Value,
    text: String,
}

impl Complaints {
    /// A plan begins to be built.
    pub fn begin(&mut self) {
        self.told.begin();
    }

    /// The plan is built: what was not found again is forgotten.
    pub fn finish(&mut self) {
        self.told.finish();
    }

    /// Notes the fault `text` of what `source` says about `subject`; `true` if the log does not know of it yet.
    pub fn is_new(&mut self, subject: &str, source: &Value, text: &str) -> bool {
        if let Some(known) = self.told.renew(subject)
            && known.text == text
            && known.source == *source
        {
            return false;
        }
        self.told.put(subject.into(), Fault { source: source.clone(), text: text.to_owned() });
        true
    }
}
