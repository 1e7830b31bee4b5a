//! Routes and services.

use serde_json::Value;

use super::{Checker, Outcome, Owner, Rejection, literal};
use crate::expr::Expr;
use crate::resource::Kind;

/// Fields that hold Lua, which does not run here.
const LUA_FIELDS: [&str; 3] = ["filter_func", "script", "script_id"];

/// What APISIX says before it looks at the schema.
pub(super) fn before_schema(value: &Value) -> Outcome {
    let both = |one: &str, many: &str| value.get(one).is_some() && value.get(many).is_some();
    if both("host", "hosts") {
        return Err(Rejection::invalid("only one of host or hosts is allowed"));
    }
    if both("remote_addr", "remote_addrs") {
        return Err(Rejection::invalid("only one of remote_addr or remote_addrs is allowed"));
    }
    Ok(())
}

impl Checker<'_> {
    pub(super) fn route(&self, owner: Owner<'_>, conf: &Value) -> Outcome {
        without_lua(conf)?;
        literal::route(conf)?;
        self.inline_upstream(conf)?;
        self.reference(conf, "upstream_id", Kind::Upstream)?;
        self.reference(conf, "service_id", Kind::Service)?;
        self.reference(conf, "plugin_config_id", Kind::PluginConfig)?;
        self.plugins(owner, conf)?;
        conf.get("vars").map_or(Ok(()), expression)
    }

    pub(super) fn service(&self, owner: Owner<'_>, conf: &Value) -> Outcome {
        without_lua(conf)?;
        literal::route(conf)?;
        self.inline_upstream(conf)?;
        self.reference(conf, "upstream_id", Kind::Upstream)?;
        self.plugins(owner, conf)
    }

    fn inline_upstream(&self, conf: &Value) -> Outcome {
        conf.get("upstream").map_or(Ok(()), |upstream| self.upstream(upstream))
    }
}

fn without_lua(conf: &Value) -> Outcome {
    let lua = LUA_FIELDS.into_iter().find(|field| conf.get(field).is_some());
    lua.map_or(Ok(()), |field| Err(Rejection::unsupported(field)))
}

/// An expression in `vars` or in a plugin's `_meta.filter`.
pub(super) fn expression(rule: &Value) -> Outcome {
    let wrong = |error| Rejection::invalid(format!("failed to validate the 'vars' expression: {error}"));
    Expr::parse(rule).map(|_| ()).map_err(wrong)
}
