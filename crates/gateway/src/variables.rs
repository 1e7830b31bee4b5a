//! The variables of a request.

use std::borrow::Cow;

use config::vars::{Var, Vars};

use crate::exchange::Exchange;

impl Vars for Exchange {
    fn var(&self, name: &str) -> Var<'_> {
        match name {
            "uri" => Var::Text(Cow::Borrowed(self.request.path())),
            _ => Var::Nil,
        }
    }
}
