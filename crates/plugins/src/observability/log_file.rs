//! Log files. One thread for each file writes what loggers hand to it, so that no request waits for a disk. The queue
//! is bounded: when the disk cannot keep up, new lines are dropped and counted, and requests go on. A file that was
//! moved away (by logrotate) is opened anew under its name.

use std::collections::HashMap;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::sync::{Arc, LazyLock, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Lines waiting to be written.
const QUEUE: usize = 8_192;

/// As many bytes go to the file in one write.
const BATCH_BYTES: usize = 256 * 1024;

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
    let flushes: Vec<Receiver<()>> = files.iter().filter_map(|file| file.flush()).collect();
    flushes.iter().all(|flushed| flushed.recv_timeout(until.saturating_duration_since(Instant::now())).is_ok())
}

/// The writing end of one file.
#[derive(Debug)]
pub(super) struct LogFile {
    queue: SyncSender<Message>,
    dropped: AtomicU64,
    path: PathBuf,
}

enum Message {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
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
        let (queue, messages) = mpsc::sync_channel(QUEUE);
        let writer = Writer { path: path.to_owned(), file: None, reopened: REOPENED.load(Ordering::Relaxed) };
        std::thread::Builder::new().name("log-file".to_owned()).spawn(move || writer.run(&messages))?;
        let file = Arc::new(Self { queue, dropped: AtomicU64::new(0), path: path.to_owned() });
        files.insert(path.to_owned(), Arc::downgrade(&file));
        Ok(file)
    }

    /// Hands over a line, with its line end. Never waits.
    pub fn push(&self, line: Vec<u8>) {
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = self.queue.try_send(Message::Line(line)) {
            let dropped = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
            // At powers of two: a disk that is stuck must not fill the error log.
            if dropped.is_power_of_two() {
                tracing::warn!(path = %self.path.display(), dropped, "log lines are dropped: the file cannot keep up");
            }
        }
    }

    /// A signal that comes when everything pushed so far has been written; `None` if the writer is gone.
    fn flush(&self) -> Option<Receiver<()>> {
        let (flushed, signal) = mpsc::sync_channel(1);
        self.queue.send(Message::Flush(flushed)).ok()?;
        Some(signal)
    }
}

/// The thread behind a file.
struct Writer {
    path: PathBuf,
    file: Option<File>,
    reopened: u64,
}

impl Writer {
    /// Writes until the last logger of the file is gone and the queue is empty.
    fn run(mut self, messages: &Receiver<Message>) {
        let mut batch = Vec::new();
        while let Ok(first) = messages.recv() {
            let mut flushes = Vec::new();
            let mut next = Some(first);
            while let Some(message) = next {
                match message {
                    Message::Line(line) => batch.extend_from_slice(&line),
                    Message::Flush(flushed) => flushes.push(flushed),
                }
                next = if batch.len() < BATCH_BYTES { messages.try_recv().ok() } else { None };
            }
            if let Err(error) = self.write(&batch) {
                tracing::error!(path = %self.path.display(), %error, "a log file cannot be written");
                self.file = None;
            }
            batch.clear();
            for flushed in flushes {
                let _ = flushed.send(());
            }
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
        file.push(b"one\n".to_vec());
        file.push(b"two\n".to_vec());
        assert!(flush(PATIENCE));
        std::fs::rename(&path, &old).expect("renamed");
        file.push(b"three\n".to_vec());
        reopen();
        file.push(b"four\n".to_vec());
        assert!(flush(PATIENCE));
        assert_eq!(std::fs::read_to_string(&old).expect("text"), "kept\none\ntwo\n");
        assert_eq!(std::fs::read_to_string(&path).expect("text"), "three\nfour\n");
    }

    #[test]
    fn loggers_of_one_path_share_a_file_and_a_folder_that_appears_late_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("late/b.log");
        let [one, other] = [(); 2].map(|()| LogFile::open(&path).expect("a thread"));
        assert!(Arc::ptr_eq(&one, &other));
        one.push(b"lost\n".to_vec());
        assert!(flush(PATIENCE));
        std::fs::create_dir(folder.path().join("late")).expect("a folder");
        other.push(b"kept\n".to_vec());
        assert!(flush(PATIENCE));
        assert_eq!(std::fs::read_to_string(&path).expect("text"), "kept\n");
    }
}
