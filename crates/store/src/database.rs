//! The SQLite file: its layout, its checks and its one transaction. The only module that knows SQL.
//!
//! Invariant: what [`Database::apply`] returned `Ok` for is on disk (write-ahead log, `synchronous=FULL`),
//! and a file that fails a check is never written to. Called by opening and by the writer thread.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior, params};

use crate::item::Items;
use crate::stage::Stage;
use crate::{Item, Snapshot, StoreError};

/// Marks the file as ours in SQLite's header ("Tide").
const APPLICATION_ID: i64 = 0x5469_6465;
/// The layout below. A change of it raises the number and adds a migration.
const LAYOUT: i64 = 1;

const SCHEMA: &str = "
    CREATE TABLE item (
        key        TEXT PRIMARY KEY,
        value      TEXT NOT NULL,
        created    INTEGER NOT NULL,
        modified   INTEGER NOT NULL,
        expires_at INTEGER
    ) STRICT;
    CREATE TABLE revision (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), number INTEGER NOT NULL) STRICT;
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
    INSERT INTO revision VALUES (1, 0);
";

/// How long to wait for a process that only reads the file (a backup, `Store::read`).
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) struct Database {
    connection: Connection,
    path: PathBuf,
}

/// Everything that a database holds.
pub(crate) struct Loaded {
    pub snapshot: Snapshot,
    pub meta: BTreeMap<String, String>,
}

/// The URI of a database that no process has open, by which SQLite takes it for unchangeable. Whoever has it open, or
/// was killed, leaves a write-ahead log beside it.
fn resting(path: &Path) -> Option<String> {
    let text = path.to_str()?;
    let has_log = Path::new(&format!("{text}-wal")).exists();
    let escaped = text.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    // Two slashes at the beginning of a path would else be those before a host.
    let no_host = if path.is_absolute() { "//" } else { "" };
    (!has_log).then(|| format!("file:{no_host}{escaped}?immutable=1"))
}

impl Database {
    /// Opens the existing file at `path` (an empty one becomes a new store) for writing.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let mut database = Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let fresh = database.recognise()?;
        database.prepare(fresh).map_err(|error| open_error(path, &error))?;
        Ok(database)
    }

    /// Reads everything, as of one moment. Where no other process has the file open nothing is written, so that the
    /// folder may be one that cannot be written to.
    pub fn read(path: &Path) -> Result<Loaded, StoreError> {
        let Some(uri) = resting(path) else {
            return Self::connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?.load_recognised();
        };
        match Self::connect_unchangeable(path, &uri).and_then(|database| database.load_recognised()) {
            // What is changed while it is taken for unchangeable looks damaged; then there is a log now.
            Err(StoreError::Corrupt { .. }) if resting(path).is_none() => {
                Self::connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?.load_recognised()
            }
            read => read,
        }
    }

    /// By a URI that says so; else SQLite makes the log's files anew, also to read.
    fn connect_unchangeable(path: &Path, uri: &str) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        Ok(Self { path: path.to_owned(), ..Self::connect(Path::new(uri), flags)? })
    }

    fn load_recognised(&self) -> Result<Loaded, StoreError> {
        self.recognise()?;
        self.load()
    }

    pub fn in_memory() -> Result<Self, StoreError> {
        let path = Path::new(":memory:");
        let mut database = Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        database.prepare(true).map_err(|error| open_error(path, &error))?;
        Ok(database)
    }

    fn connect(path: &Path, access: OpenFlags) -> Result<Self, StoreError> {
        // The connection never leaves its thread: SQLite's own locking would be wasted.
        let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connect = || {
            let connection = Connection::open_with_flags(path, flags)?;
            connection.busy_timeout(BUSY_TIMEOUT)?;
            Ok(connection)
        };
        let connection = connect().map_err(|error| open_error(path, &error))?;
        Ok(Self { connection, path: path.to_owned() })
    }

    /// Reads only. `true` if the file is empty; an error if it is damaged or not one of ours.
    fn recognise(&self) -> Result<bool, StoreError> {
        let failed = |error| open_error(&self.path, &error);
        let application = self.pragma("application_id").map_err(failed)?;
        let layout = self.pragma("user_version").map_err(failed)?;
        let tables = self
            .connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))
            .map_err(failed)?;
        if application == 0 && tables == 0 {
            return Ok(true);
        }
        if application != APPLICATION_ID {
            return Err(StoreError::Foreign { path: self.path.clone() });
        }
        if layout > LAYOUT {
            return Err(StoreError::TooNew { path: self.path.clone(), found: layout, known: LAYOUT });
        }
        let verdict: String =
            self.connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(failed)?;
        if verdict != "ok" {
            return Err(self.corrupt(verdict));
        }
        Ok(false)
    }

    fn pragma(&self, name: &str) -> rusqlite::Result<i64> {
        self.connection.pragma_query_value(None, name, |row| row.get(0))
    }

    fn prepare(&mut self, fresh: bool) -> rusqlite::Result<()> {
        self.connection.pragma_update(None, "journal_mode", "WAL")?;
        self.connection.pragma_update(None, "synchronous", "FULL")?;
        // macOS keeps a flush in the drive's own cache unless told otherwise; no effect elsewhere.
        self.connection.pragma_update(None, "fullfsync", true)?;
        if fresh {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.execute_batch(SCHEMA)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", LAYOUT)?;
            transaction.commit()?;
        }
        Ok(())
    }

    /// Reads everything, as of one moment.
    pub fn load(&self) -> Result<Loaded, StoreError> {
        let failed = |error| open_error(&self.path, &error);
        let transaction = self.connection.unchecked_transaction().map_err(failed)?;
        let has_tables = transaction.table_exists(None, "item").map_err(failed)?;
        if !has_tables {
            return Ok(Loaded { snapshot: Snapshot::default(), meta: BTreeMap::new() });
        }
        let revision =
            transaction.query_row("SELECT number FROM revision", [], |row| row.get::<_, i64>(0)).map_err(failed)?;
        let revision = self.unsigned("revision", revision)?;
        let items = self.load_items(&transaction, revision)?;
        let meta = load_meta(&transaction).map_err(failed)?;
        Ok(Loaded { snapshot: Snapshot { revision, items: Arc::new(items) }, meta })
    }

    fn load_items(&self, connection: &Connection, revision: u64) -> Result<Items, StoreError> {
        let failed = |error| open_error(&self.path, &error);
        let mut items = Items::new();
        let mut select =
            connection.prepare("SELECT key, value, created, modified, expires_at FROM item").map_err(failed)?;
        let mut rows = select.query([]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let item = self.item(row, revision)?;
            items.insert(Arc::clone(&item.key), Arc::new(item));
        }
        Ok(items)
    }

    fn item(&self, row: &rusqlite::Row<'_>, revision: u64) -> Result<Item, StoreError> {
        let failed = |error| open_error(&self.path, &error);
        let key: String = row.get(0).map_err(failed)?;
        let text = row.get_ref(1).map_err(failed)?.as_str().map_err(|error| failed(error.into()))?;
        let value = serde_json::from_str(text)
            .map_err(|error| self.corrupt(format!("the value of {key} is not JSON: {error}")))?;
        let created_index = self.unsigned(&key, row.get(2).map_err(failed)?)?;
        let modified_index = self.unsigned(&key, row.get(3).map_err(failed)?)?;
        let expires_at: Option<i64> = row.get(4).map_err(failed)?;
        let expires_at = expires_at.map(|secs| self.unsigned(&key, secs)).transpose()?;
        if created_index > modified_index || modified_index > revision {
            return Err(self.corrupt(format!("{key} is newer than the store's revision {revision}")));
        }
        Ok(Item { key: key.into(), value: Arc::new(value), created_index, modified_index, expires_at })
    }

    fn unsigned(&self, what: &str, number: i64) -> Result<u64, StoreError> {
        u64::try_from(number).map_err(|_| self.corrupt(format!("{what} has the negative number {number}")))
    }

    fn corrupt(&self, detail: String) -> StoreError {
        StoreError::Corrupt { path: self.path.clone(), detail }
    }

    /// Writes everything that was staged, in one transaction. `Ok` means durable; `Err` means that
    /// nothing was written.
    pub fn apply(&mut self, stage: &Stage<'_>) -> Result<(), StoreError> {
        self.transact(stage).map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => self.corrupt(error.to_string()),
            _ => StoreError::NotWritten { path: self.path.clone(), detail: error.to_string() },
        })
    }

    fn transact(&mut self, stage: &Stage<'_>) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut put = transaction.prepare_cached("INSERT OR REPLACE INTO item VALUES (?1, ?2, ?3, ?4, ?5)")?;
            let mut delete = transaction.prepare_cached("DELETE FROM item WHERE key = ?1")?;
            for (key, staged) in stage.changes() {
                match staged {
                    Some(staged) => put.execute(params![
                        &**key,
                        &*staged.text,
                        signed(staged.item.created_index),
                        signed(staged.item.modified_index),
                        staged.item.expires_at.map(signed),
                    ])?,
                    None => delete.execute([&**key])?,
                };
            }
            let mut put_meta = transaction.prepare_cached("INSERT OR REPLACE INTO meta VALUES (?1, ?2)")?;
            for (key, value) in stage.meta() {
                put_meta.execute([key, value])?;
            }
            transaction.prepare_cached("UPDATE revision SET number = ?1")?.execute([signed(stage.revision())])?;
        }
        transaction.commit()
    }
}

fn load_meta(connection: &Connection) -> rusqlite::Result<BTreeMap<String, String>> {
    let mut select = connection.prepare("SELECT key, value FROM meta")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

/// SQLite's integers are signed. A revision or a date beyond 2^63 is out of this world's reach.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn open_error(path: &Path, error: &rusqlite::Error) -> StoreError {
    let (path, detail) = (path.to_owned(), error.to_string());
    match error {
        rusqlite::Error::SqliteFailure(failure, _) => match failure.code {
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreError::Corrupt { path, detail },
            _ => StoreError::Unusable { path, detail },
        },
        // A row or a table that is not as the layout says.
        _ => StoreError::Corrupt { path, detail },
    }
}
