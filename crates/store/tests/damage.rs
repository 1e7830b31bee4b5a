//! Files that cannot be used: each gives an error that says what to do, and none is overwritten.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use serde_json::json;
use tidegate_store::{Expect, Store, StoreError, Write};

/// A closed store with enough in it to fill several pages.
async fn filled(dir: &Path) {
    let store = Store::open(dir).unwrap();
    for n in 0..50 {
        let key = format!("/apisix/routes/{n}");
        let value = json!({"uri": "/x".repeat(500)});
        store.write(vec![Write::Put { key, value, expect: Expect::Any, ttl: None }]).await.unwrap();
    }
}

fn sql(dir: &Path, statement: &str) {
    let connection = rusqlite::Connection::open(dir.join("tidegate.db")).unwrap();
    connection.execute_batch(statement).unwrap();
}

/// Opening fails, leaves the file as it was, and names it.
fn refused(dir: &Path) -> StoreError {
    let file = dir.join("tidegate.db");
    let before = fs::read(&file).unwrap();
    let error = Store::open(dir).unwrap_err();
    assert_eq!(fs::read(&file).unwrap(), before, "the file was changed");
    assert!(error.to_string().contains(&file.display().to_string()), "{error}");
    error
}

#[tokio::test]
async fn a_file_that_is_no_database_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("tidegate.db"), "my diary, not a database\n".repeat(1_000)).unwrap();
    let error = refused(dir.path());
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    assert!(error.to_string().contains("restore it from a backup"), "{error}");
}

#[tokio::test]
async fn overwritten_pages_are_found_when_opening() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path()).await;
    let file = dir.path().join("tidegate.db");
    let mut bytes = fs::read(&file).unwrap();
    let from = bytes.len() / 2;
    bytes[from..from + 8192].fill(0xa5);
    fs::write(&file, bytes).unwrap();
    let error = refused(dir.path());
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
}

#[tokio::test]
async fn damage_that_reading_would_not_meet_is_found_too() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path()).await;
    let file = dir.path().join("tidegate.db");
    let mut bytes = fs::read(&file).unwrap();
    // Loading walks over the items; the index of their keys is only needed by later writes.
    let page = root_page(dir.path(), "sqlite_autoindex_item_1");
    bytes[(page - 1) * 4096..page * 4096].fill(0);
    fs::write(&file, bytes).unwrap();
    let error = refused(dir.path());
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
}

fn root_page(dir: &Path, name: &str) -> usize {
    let connection = rusqlite::Connection::open(dir.join("tidegate.db")).unwrap();
    let select = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
    let page: i64 = connection.query_row(select, [name], |row| row.get(0)).unwrap();
    usize::try_from(page).unwrap()
}

#[tokio::test]
async fn a_truncated_file_is_found_when_opening() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path()).await;
    let file = dir.path().join("tidegate.db");
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    let error = refused(dir.path());
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
}

#[tokio::test]
async fn contents_that_contradict_themselves_are_damage() {
    let table = [
        ("UPDATE item SET value = '{\"uri\":' WHERE key = '/apisix/routes/7'", "/apisix/routes/7 is not JSON"),
        ("UPDATE revision SET number = 3", "newer than the store's revision 3"),
        ("UPDATE item SET created = -1 WHERE key = '/apisix/routes/7'", "negative number -1"),
        ("DELETE FROM revision", "no rows"),
        ("DROP TABLE meta", "no such table: meta"),
    ];
    for (statement, expected) in table {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path()).await;
        sql(dir.path(), statement);
        let error = refused(dir.path());
        assert!(error.to_string().contains(expected), "{statement}: {error}");
    }
}

#[tokio::test]
async fn a_database_of_another_program_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    sql(dir.path(), "CREATE TABLE customer (name TEXT)");
    let error = refused(dir.path());
    assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
}

#[tokio::test]
async fn a_file_of_a_later_version_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path()).await;
    sql(dir.path(), "PRAGMA user_version = 99");
    let error = refused(dir.path());
    assert!(matches!(error, StoreError::TooNew { found: 99, .. }), "{error}");
}

#[test]
fn a_data_folder_that_is_a_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("data");
    fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("below")] {
        let error = Store::open(&path).unwrap_err();
        assert!(matches!(error, StoreError::Unusable { .. }), "{error}");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn a_read_only_data_folder_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o500)).unwrap();
    // The superuser may write anywhere but on a file system that has no files to give.
    let superuser = fs::write(dir.path().join("probe"), "").is_ok();
    let path = if superuser { Path::new("/proc/self") } else { dir.path() };
    let error = Store::open(path).unwrap_err();
    assert!(matches!(error, StoreError::Unusable { .. }), "{error}");
    assert!(error.to_string().contains("create and write files"), "{error}");
}
