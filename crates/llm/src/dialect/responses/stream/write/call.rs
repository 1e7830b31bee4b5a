//! What the model does: calls of functions, and images.

use super::{Open, Writer, event, item_place};
use crate::dialect::calls::Progress;
use crate::dialect::responses::stream::items::{self, Call};
use crate::dialect::responses::whole;
use crate::json::write_string;
use crate::model::{Media, MediaKind, MediaSource};

impl Writer {
    pub(super) fn begin_call(&mut self, call_id: &str, name: &str, out: &mut Vec<u8>) {
        let call = Call {
            place: self.place("fc"),
            call_id: call_id.to_owned(),
            name: name.to_owned(),
            arguments: String::new(),
            progress: Progress::default(),
        };
        self.add_item(call.place.index, &call.begun(), out);
        self.open = Open::Call(call);
    }

    /// What comes after a whole object can only be blanks.
    pub(super) fn arguments(&mut self, more: &str, out: &mut Vec<u8>) {
        let Open::Call(call) = &mut self.open else { return };
        event(out, &mut self.sequence, "response.function_call_arguments.delta", |event| {
            item_place(event, &call.place);
            write_string(event.key("delta"), more);
        });
        call.arguments.push_str(more);
        call.progress.take(more);
        if call.progress.is_complete() {
            self.close_open(out);
        }
    }

    pub(super) fn end_call(&mut self, call: &Call, out: &mut Vec<u8>) {
        let arguments = if call.arguments.is_empty() { "{}" } else { &call.arguments };
        event(out, &mut self.sequence, "response.function_call_arguments.done", |event| {
            item_place(event, &call.place);
            event.string("name", &call.name);
            event.string("arguments", arguments);
        });
        self.end_item(call.place.index, call.json(), out);
    }

    /// Sound has no place in an answer of this dialect.
    pub(super) fn image(&mut self, media: &Media<'_>, out: &mut Vec<u8>) {
        let (MediaKind::Image, MediaSource::Base64(data)) = (media.kind, &media.source) else { return };
        self.close_open(out);
        let place = self.place("ig");
        let item = |status: &str, data: &str| {
            items::object(|item| {
                item.string("id", &place.id);
                item.string("status", status);
                whole::write_image(item, data, media.media_type.as_deref());
            })
        };
        let (begun, done) = (item("in_progress", ""), item("completed", data));
        self.add_item(place.index, &begun, out);
        event(out, &mut self.sequence, "response.image_generation_call.completed", |event| item_place(event, &place));
        self.end_item(place.index, done, out);
    }
}
