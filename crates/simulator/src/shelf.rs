//! What a provider keeps: files and batches of OpenAI and Anthropic. Both families share one shelf of files; a batch is
//! never worked off. Identifiers count from 1, so that the same requests get the same ones.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::dialect::Refusal;
use crate::dialect::refusal::Voice;
use crate::dialect::wire::to_json;
use crate::form::Form;
use crate::service::{Exchange, Outcome};

const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");
const CREATED: u64 = 1_700_000_000;
const CREATED_TEXT: &str = "2023-11-14T22:13:20Z";

#[derive(Debug, Default)]
pub(crate) struct Shelf(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    files: Vec<File>,
    batches: Vec<Batch>,
    serial: usize,
}

#[derive(Debug)]
struct File {
    id: String,
    name: String,
    purpose: String,
    content: Bytes,
}

#[derive(Debug)]
struct Batch {
    id: String,
    collection: Collection,
    asked: Value,
    is_cancelled: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Collection {
    Files,
    Batches,
    MessageBatches,
}

/// What a path names: a collection, a thing in it, and something about that thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    collection: Collection,
    id: &'a str,
    about: &'a str,
}

impl<'a> Place<'a> {
    pub fn of(path: &'a str) -> Option<Self> {
        let collections = [
            ("/v1/files", Collection::Files),
            ("/v1/batches", Collection::Batches),
            ("/v1/messages/batches", Collection::MessageBatches),
        ];
        collections.into_iter().find_map(|(name, collection)| {
            let behind = &path[path.rfind(name)? + name.len()..];
            let (id, about) = match behind {
                "" => ("", ""),
                behind => {
                    let behind = behind.strip_prefix('/')?;
                    behind.split_once('/').unwrap_or((behind, ""))
                }
            };
            Some(Self { collection, id, about })
        })
    }

    pub fn voice(self) -> Voice {
        if self.collection == Collection::MessageBatches { Voice::Anthropic } else { Voice::OpenAi }
    }
}

impl Shelf {
    pub fn clear(&self) {
        *self.0.lock() = Kept::default();
    }

    pub fn answer(&self, place: Place<'_>, exchange: &Exchange) -> Result<Outcome, Refusal> {
        let kept = &mut *self.0.lock();
        let head = &exchange.head;
        let Place { collection, id, about } = place;
        let object = match (collection, head.method.clone(), id, about) {
            (Collection::Files, Method::POST, "", "") => kept.upload(exchange)?,
            (Collection::Files, Method::GET, "", "") => list(kept.files.iter().map(|file| file.told(&head.headers))),
            (Collection::Files, Method::GET, id, "") => kept.file(id)?.told(&head.headers),
            (Collection::Files, Method::GET, id, "content") => {
                return Ok(Outcome::whole(BYTES, kept.file(id)?.content.clone()));
            }
            (Collection::Files, Method::DELETE, id, "") => {
                kept.file(id)?;
                kept.files.retain(|file| file.id != id);
                match is_anthropic(&head.headers) {
                    true => json!({"id": id, "type": "file_deleted"}),
                    false => json!({"id": id, "object": "file", "deleted": true}),
                }
            }
            (_, Method::POST, "", "") => kept.begin(collection, &exchange.body)?,
            (_, Method::GET, "", "") => {
                list(kept.batches.iter().filter(|batch| batch.collection == collection).map(Batch::told))
            }
            (_, Method::GET, id, "") => kept.batch(collection, id)?.told(),
            (_, Method::POST, id, "cancel") => {
                let batch = kept.batch(collection, id)?;
                batch.is_cancelled = true;
                batch.told()
            }
            _ => {
                return Err(Refusal::new(
                    StatusCode::NOT_FOUND,
                    format!("There is no {} {}.", head.method, head.uri.path()),
                ));
            }
        };
        Ok(Outcome::json(to_json(&object)))
    }
}

impl Kept {
    fn upload(&mut self, exchange: &Exchange) -> Result<Value, Refusal> {
        let form = Form::read(&exchange.head.headers, &exchange.body)?;
        let sent = form.file()?;
        let file = File {
            id: format!("file-{:06}", self.next_number()),
            name: sent.filename.clone().unwrap_or_default(),
            purpose: form.text("purpose").unwrap_or_default().to_owned(),
            content: Bytes::copy_from_slice(sent.content),
        };
        let told = file.told(&exchange.head.headers);
        self.files.push(file);
        Ok(told)
    }

    fn begin(&mut self, collection: Collection, body: &[u8]) -> Result<Value, Refusal> {
        let asked: Value = serde_json::from_slice(body).map_err(|error| Refusal::unreadable(&error))?;
        let prefix = if collection == Collection::MessageBatches { "msgbatch" } else { "batch" };
        if let Some(file) = asked["input_file_id"].as_str() {
            self.file(file)?;
        }
        let batch = Batch { id: format!("{prefix}_{:06}", self.next_number()), collection, asked, is_cancelled: false };
        let told = batch.told();
        self.batches.push(batch);
        Ok(told)
    }

    fn next_number(&mut self) -> usize {
        self.serial += 1;
        self.serial
    }

    fn file(&self, id: &str) -> Result<&File, Refusal> {
        self.files.iter().find(|file| file.id == id).ok_or_else(|| nothing(id))
    }

    fn batch(&mut self, collection: Collection, id: &str) -> Result<&mut Batch, Refusal> {
        let mut batches = self.batches.iter_mut();
        batches.find(|batch| batch.id == id && batch.collection == collection).ok_or_else(|| nothing(id))
    }
}

impl File {
    fn told(&self, headers: &HeaderMap) -> Value {
        let Self { id, name, purpose, content } = self;
        match is_anthropic(headers) {
            true => json!({
                "id": id, "type": "file", "filename": name, "mime_type": "application/octet-stream",
                "size_bytes": content.len(), "created_at": CREATED_TEXT, "downloadable": true,
            }),
            false => json!({
                "id": id, "object": "file", "bytes": content.len(), "created_at": CREATED, "filename": name,
                "purpose": purpose, "status": "processed",
            }),
        }
    }
}

impl Batch {
    fn told(&self) -> Value {
        let Self { id, collection, asked, is_cancelled } = self;
        if *collection == Collection::MessageBatches {
            let processing = asked["requests"].as_array().map_or(0, Vec::len);
            return json!({
                "id": id, "type": "message_batch", "created_at": CREATED_TEXT, "expires_at": CREATED_TEXT,
                "processing_status": if *is_cancelled { "canceling" } else { "in_progress" },
                "request_counts": {"processing": processing, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0},
                "cancel_initiated_at": is_cancelled.then_some(CREATED_TEXT),
                "ended_at": null, "archived_at": null, "results_url": null,
            });
        }
        json!({
            "id": id, "object": "batch", "created_at": CREATED, "endpoint": asked["endpoint"],
            "input_file_id": asked["input_file_id"], "completion_window": asked["completion_window"],
            "status": if *is_cancelled { "cancelling" } else { "validating" },
            "request_counts": {"total": 0, "completed": 0, "failed": 0},
        })
    }
}

fn list(items: impl Iterator<Item = Value>) -> Value {
    let items: Vec<Value> = items.collect();
    let id = |item: Option<&Value>| item.map(|item| item["id"].clone());
    json!({"object": "list", "first_id": id(items.first()), "last_id": id(items.last()), "has_more": false, "data": items})
}

fn nothing(id: &str) -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, format!("No such object: {id}"))
}

fn is_anthropic(headers: &HeaderMap) -> bool {
    headers.contains_key("anthropic-version")
}
