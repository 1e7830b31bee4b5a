//! What earlier starts wrote, kept beside the resources: by it a later start can tell whether somebody changed a
//! route since.

use serde::{Deserialize, Serialize};
use store::{Snapshot, Store};

use super::resources::Draft;
use super::targets::{self, Target};
use crate::digest::{sha256, to_hex};
use crate::failure::Failure;

/// Where it is kept in the store.
const PLACE: &str = "first_routes";

/// The routes that were written last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    targets: Vec<RecordedTarget>,
    /// The routes' keys in the store.
    pub keys: Vec<String>,
    /// The one revision that wrote them all.
    revision: u64,
    /// Some start has routed to a provider that is no simulator.
    #[serde(default)]
    has_served: bool,
    /// What was written, as a digest. Empty where another version of Tidegate has written it.
    #[serde(default)]
    form: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct RecordedTarget {
    id: String,
    endpoint: Option<String>,
}

impl Record {
    /// `drafts` lead to `targets` and were written in `revision`, in the place of what `earlier` tells of.
    pub fn new(targets: &[Target], drafts: &[Draft], revision: u64, earlier: Option<&Record>) -> Self {
        let keys = drafts.iter().map(Draft::key).collect();
        let has_served =
            earlier.is_some_and(Record::has_served) || targets.iter().any(|target| target.provider.is_some());
        Self { targets: recorded(targets), keys, revision, has_served, form: form(drafts) }
    }

    /// `true` if some start has routed to a provider, so that its clients expect a model's answers.
    pub fn has_served(&self) -> bool {
        self.has_served || self.targets.iter().any(|target| target.id != targets::SIMULATOR_ID)
    }

    /// `None` before the first start has come to its end.
    pub fn read(store: &Store) -> Option<Self> {
        serde_json::from_str(&store.get_meta(PLACE)?).ok()
    }

    /// # Errors
    /// If the store cannot be written.
    pub async fn keep(&self, store: &Store) -> Result<(), Failure> {
        let text = serde_json::to_string(self).map_err(Failure::runtime)?;
        store.put_meta(PLACE, &text).await.map_err(Failure::runtime)
    }

    /// Whether every route is still as it was written.
    pub fn is_untouched(&self, snapshot: &Snapshot) -> bool {
        self.keys.iter().all(|key| snapshot.get(key).is_some_and(|item| item.modified_index == self.revision))
    }

    /// Whether exactly these were written.
    pub fn is_of(&self, drafts: &[Draft]) -> bool {
        self.form == form(drafts)
    }

    /// The endpoint of the target `id`; `None` if there was no such target.
    pub fn endpoint(&self, id: &str) -> Option<Option<&str>> {
        self.targets.iter().find(|target| target.id == id).map(|target| target.endpoint.as_deref())
    }
}

/// A digest of what is to be written, ids included.
fn form(drafts: &[Draft]) -> String {
    let text: String = drafts.iter().map(|draft| draft.value.to_string()).collect();
    to_hex(&sha256(&text))
}

fn recorded(targets: &[Target]) -> Vec<RecordedTarget> {
    let recorded = |target: &Target| RecordedTarget { id: target.id().to_owned(), endpoint: target.endpoint.clone() };
    targets.iter().map(recorded).collect()
}
