//! Log files. One thread for each file writes what loggers hand to it, so that no request waits for a disk. Lines
//! gather in memory for a moment and go out in one write: a line costs a request a short copy, not a wake-up. What
//! waits is bounded: when the disk cannot keep up, new lines are dropped and counted, and requests go on. A file that
//! was moved away (by logrotate) is opened anew under its name.

use std::collections::HashMap;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Weak};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

/// Where lines gather: one place for each of so many threads, so that workers do not wait for each other.
const SHARDS: usize = 8;

/// No line is added to so many bytes in one place. A line is taken whole, however long it is: who asks decides what is
/// logged of a body, and must not get around the log by it.
const MAX_WAITING_BYTES: usize = 4 << 20;

/// So many bytes in one place gather no longer.
const MUCH: usize = 512 << 10;

/// How long lines gather before they are written.
const GATHER: Duration = Duration::from_millis(20);

/// Every file in use, by its path: several loggers may write to one.
static FILES: LazyLock<Mutex<HashMap<PathBuf, Weak<LogFile>>>> = LazyLock::new(Mutex::default);

/// Grows when files are to be opened anew.
static REOPENED: AtomicU64 = AtomicU64::new(0);

/// Opens every log file anew before its next line: what SIGUSR1 asks for after a rotation.
pub fn reopen() {
    REOPENED.fetch_add(1, Ordering::Relaxed);
}

/// Waits until everything that was logged so far is in the files, but no longer than `limit` in all. Called before the
/// process ends. `true` if it is.
pub fn flush(limit: Duration) -> bool {
    let until = Instant::now() + limit;
    let files: Vec<Arc<LogFile>> = FILES.lock().values().filter_map(Weak::upgrade).collect();
    files.iter().all(|file| file.shared.flush(until))
}

/// The writing end of one file.
#[derive(Debug)]
pub(super) struct LogFile {
    shared: Arc<Shared>,
    dropped: AtomicU64,
    path: PathBuf,
}

/// What loggers and the writing thread share.
#[derive(Debug, Default)]
struct Shared {
    lines: [Mutex<Vec<u8>>; SHARDS],
    /// The writing thread waits for a first line.
    asleep: AtomicBool,
    state: Mutex<State>,
    /// For the writing thread: a first line, or an end to gathering.
    something: Condvar,
    /// For who flushes: a round of writing is over.
    written: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Rounds of writing begun and ended.
    begun: u64,
    ended: u64,
    /// Somebody waits for what is there to be written: do not gather.
    hurry: bool,
    /// The last logger of the file is gone.
    closed: bool,
}

impl Shared {
    /// Waits for a round that begins after now.
    fn flush(&self, until: Instant) -> bool {
        let mut state = self.state.lock();
        let round = state.begun + 1;
        state.hurry = true;
        self.asleep.store(false, Ordering::SeqCst);
        self.something.notify_one();
        while state.ended < round {
            if self.written.wait_until(&mut state, until).timed_out() {
                return state.ended >= round;
            }
        }
        true
    }

    /// Has the lines written that are there, without gathering more.
    fn hurry(&self) {
        self.state.lock().hurry = true;
        self.asleep.store(false, Ordering::SeqCst);
        self.something.notify_one();
    }

    fn is_empty(&self) -> bool {
        self.lines.iter().all(|lines| lines.lock().is_empty())
    }

    /// Waits for a first line, then for a moment more. `false` if there will be none any more.
    fn wait_for_lines(&self, state: &mut MutexGuard<'_, State>) -> bool {
        loop {
            // Said before looking: who pushes after the look sees it and wakes this thread.
            self.asleep.store(true, Ordering::SeqCst);
            if state.hurry || !self.is_empty() {
                break;
            }
            if state.closed {
                return false;
            }
            self.something.wait(state);
        }
        self.asleep.store(false, Ordering::SeqCst);
        let until = Instant::now() + GATHER;
        while !state.hurry && !state.closed && !self.something.wait_until(state, until).timed_out() {}
        true
    }

    /// Takes all lines, into `batch`.
    fn take(&self, batch: &mut Vec<u8>) {
        for lines in &self.lines {
            let mut lines = lines.lock();
            batch.extend_from_slice(&lines);
            lines.clear();
            lines.shrink_to(MUCH);
        }
    }
}

/// The place of this thread's lines.
fn shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static SHARD: usize = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
    }
    SHARD.with(|shard| *shard)
}

impl LogFile {
    /// The file at `path`, which need not exist; it is opened with the first line.
    ///
    /// # Errors
    /// If the writing thread cannot be started.
    pub fn open(path: &Path) -> io::Result<Arc<Self>> {
        let mut files = FILES.lock();
        if let Some(file) = files.get(path).and_then(Weak::upgrade) {
            return Ok(file);
        }
        files.retain(|_, file| file.strong_count() > 0);
        let shared = Arc::<Shared>::default();
        let writer = Writer { path: path.to_owned(), file: None, reopened: REOPENED.load(Ordering::Relaxed) };
        let seen = shared.clone();
        std::thread::Builder::new().name("log-file".to_owned()).spawn(move || writer.run(&seen))?;
        let file = Arc::new(Self { shared, dropped: AtomicU64::new(0), path: path.to_owned() });
        files.insert(path.to_owned(), Arc::downgrade(&file));
        Ok(file)
    }

    /// Hands over a line, with its line end. Never waits for the disk.
    pub fn push(&self, line: &[u8]) {
        let mut lines = self.shared.lines[shard()].lock();
        let before = lines.len();
        if before >= MAX_WAITING_BYTES {
            drop(lines);
            return self.count_dropped();
        }
        lines.extend_from_slice(line);
        let becomes_much = before < MUCH && lines.len() >= MUCH;
        drop(lines);
        if becomes_much {
            self.shared.hurry();
        } else if self.shared.asleep.load(Ordering::SeqCst) && self.shared.asleep.swap(false, Ordering::SeqCst) {
            let _state = self.shared.state.lock();
            self.shared.something.notify_one();
        }
    }

    fn count_dropped(&self) {
        let dropped = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
        // At powers of two: a disk that is stuck must not fill the error log.
        if dropped.is_power_of_two() {
            tracing::warn!(path = %self.path.display(), dropped, "log lines are dropped: the file cannot keep up");
        }
    }
}

impl Drop for LogFile {
    fn drop(&mut self) {
        self.shared.state.lock().closed = true;
        self.shared.something.notify_one();
    }
}

/// The thread behind a file.
struct Writer {
    path: PathBuf,
    file: Option<File>,
    reopened: u64,
}

impl Writer {
    /// Writes until the last logger of the file is gone and nothing waits.
    fn run(mut self, shared: &Shared) {
        let mut batch = Vec::new();
        let mut state = shared.state.lock();
        while shared.wait_for_lines(&mut state) {
            state.hurry = false;
            state.begun += 1;
            MutexGuard::unlocked(&mut state, || {
                shared.take(&mut batch);
                if let Err(error) = self.write(&batch) {
                    tracing::error!(path = %self.path.display(), %error, "a log file cannot be written");
                    self.file = None;
                }
                batch.clear();
                batch.shrink_to(SHARDS * MUCH);
            });
            state.ended = state.begun;
            shared.written.notify_all();
        }
    }

    fn write(&mut self, batch: &[u8]) -> io::Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        self.file()?.write_all(batch)
    }

    /// The file under its present name.
    fn file(&mut self) -> io::Result<&mut File> {
        let reopened = REOPENED.load(Ordering::Relaxed);
        let is_current = match &self.file {
            Some(file) if self.reopened == reopened => is_at(file, &self.path),
            _ => false,
        };
        if !is_current {
            self.file = None;
            self.reopened = reopened;
        }
        match &mut self.file {
            Some(file) => Ok(file),
            none => Ok(none.insert(OpenOptions::new().create(true).append(true).open(&self.path)?)),
        }
    }
}

/// `false` if the file was moved away or removed.
fn is_at(file: &File, path: &Path) -> bool {
    let identity = |metadata: Metadata| (metadata.dev(), metadata.ino());
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(open), Ok(named)) => identity(open) == identity(named),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    #[test]
    fn lines_are_appended_in_order_and_a_moved_file_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, old) = (folder.path().join("a.log"), folder.path().join("a.log.1"));
        std::fs::write(&path, "kept\n").expect("a file");
        let file = LogFile::open(&path).expect("a thread");
        file.push(b"one\n");
        file.push(b"two\n");
        assert!(flush(PATIENCE));
        std::fs::rename(&path, &old).expect("renamed");
        file.push(b"three\n");
        reopen();
        file.push(b"four\n");
        assert!(flush(PATIENCE));
        assert_eq!(std::fs::read_to_string(&old).expect("text"), "kept\none\ntwo\n");
        assert_eq!(std::fs::read_to_string(&path).expect("text"), "three\nfour\n");
    }

    #[test]
    fn no_line_is_too_long_and_much_at_once_is_kept_too() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("long.log");
        let file = LogFile::open(&path).expect("a thread");
        let long = [vec![b'x'; 2 * MAX_WAITING_BYTES], b"\n".to_vec()].concat();
        file.push(&long);
        assert!(flush(PATIENCE));
        let short = [vec![b'y'; MUCH], b"\n".to_vec()].concat();
        (0..4).for_each(|_| file.push(&short));
        assert!(flush(PATIENCE));
        assert_eq!(std::fs::metadata(&path).expect("a file").len() as usize, long.len() + 4 * short.len());
    }

    #[test]
    fn loggers_of_one_path_share_a_file_and_a_folder_that_appears_late_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("late/b.log");
        let [one, other] = [(); 2].map(|()| LogFile::open(&path).expect("a thread"));
        assert!(Arc::ptr_eq(&one, &other));
        one.push(b"lost\n");
        assert!(flush(PATIENCE));
        std::fs::create_dir(folder.path().join("late")).expect("a folder");
        other.push(b"kept\n");
        assert!(flush(PATIENCE));
        assert_eq!(std::fs::read_to_string(&path).expect("text"), "kept\n");
    }
}
