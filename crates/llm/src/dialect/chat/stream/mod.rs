use crate::dialect::{EventReader, EventWriter, Frame, Reply};
use crate::model::Event;

#[derive(Debug, Default)]
pub(super) struct Reader {}

impl EventReader for Reader {
    fn read(&mut self, _frame: Frame<'_>, _tell: &mut dyn FnMut(Event<'_>)) {}

    fn may_end(&self) -> bool {
        false
    }
}

#[derive(Debug)]
pub(super) struct Writer {
    reply: Reply,
}

impl Writer {
    pub(super) fn new(reply: Reply) -> Self {
        Self { reply }
    }
}

impl EventWriter for Writer {
    fn write(&mut self, _event: &Event<'_>, _out: &mut Vec<u8>) {
        let _ = &self.reply;
    }

    fn finish(&mut self, _out: &mut Vec<u8>) {}
}
