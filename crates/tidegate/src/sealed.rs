//! Stored secrets that the keyring does not open. `check` names them all; `serve` says at
//! every start how many there are.

use config::catalog::Catalog;
use config::encrypt;
use config::keyring::Keyring;
use config::resource::Kind;
use store::{Item, Snapshot};

/// One line per secret: the resource and the field.
pub fn unreadable(snapshot: &Snapshot, catalog: &Catalog, keyring: &Keyring) -> Vec<String> {
    let mut lines = Vec::new();
    for kind in Kind::ALL {
        for (_, item) in members(snapshot, kind) {
            let mut value = (*item.value).clone();
            let fields = encrypt::unreadable(kind, &mut value, catalog, keyring);
            lines.extend(fields.into_iter().map(|field| format!("{}: {field}", item.key)));
        }
    }
    lines
}

/// Every stored resource of `kind` with its id.
pub fn members(snapshot: &Snapshot, kind: Kind) -> Vec<(&str, &Item)> {
    let folder = format!("/apisix/{}/", kind.collection());
    let mut members = Vec::new();
    for item in snapshot.under(&folder) {
        let id = &item.key[folder.len()..];
        let is_member = match kind {
            Kind::Consumer => !id.contains('/'),
            Kind::Credential => id.contains("/credentials/"),
            _ => true,
        };
        if is_member {
            members.push((id, &**item));
        }
    }
    members
}
