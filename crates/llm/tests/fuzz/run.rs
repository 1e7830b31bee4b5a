//! One target, run for its time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::mutate::{Random, mutated};

/// How many changed inputs each target gets at most, and the time for them, if no time is asked for.
const USUAL_INPUTS: usize = 2_000;
const USUAL_TIME: Duration = Duration::from_secs(3);

/// What those inputs are made from: always the same ones, so that what passed once does not fail elsewhere by chance.
const USUAL_SEED: u64 = 1;

/// An input that takes longer never ends.
const PATIENCE: Duration = Duration::from_secs(60);

/// Gives `target` the corpus as it is, and then changed: the usual inputs, or others at random for as long as
/// `TIDEGATE_FUZZ_SECONDS` says.
///
/// # Panics
/// If an input makes `target` panic, or never end.
pub fn run(corpus: &[Vec<u8>], target: impl Fn(&[u8]) + Sync) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (time, most, seed) = match number("TIDEGATE_FUZZ_SECONDS") {
        Some(seconds) => (Duration::from_secs(seconds), usize::MAX, now()),
        None => (USUAL_TIME, USUAL_INPUTS, USUAL_SEED),
    };
    let seed = number("TIDEGATE_FUZZ_SEED").unwrap_or(seed);
    let until = Instant::now() + time;
    let current = Mutex::new(Vec::new());
    let (done, ended) = channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut random = Random::new(seed);
            let changed = std::iter::repeat_with(|| mutated(corpus, &mut random))
                .take(most)
                .take_while(|_| Instant::now() < until);
            for input in corpus.iter().cloned().chain(changed) {
                current.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&input);
                if catch_unwind(AssertUnwindSafe(|| target(&input))).is_err() {
                    let _ = done.send(Some(input));
                    return;
                }
            }
            let _ = done.send(None);
        });
        let left = until.saturating_duration_since(Instant::now()) + PATIENCE;
        match ended.recv_timeout(left) {
            Ok(None) => {}
            Ok(Some(input)) => panic!("seed {seed}: an input that fails is in {}", kept(&input).display()),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                let input = current.lock().unwrap_or_else(PoisonError::into_inner);
                eprintln!("seed {seed}: an input that never ends is in {}", kept(&input).display());
                // The thread cannot be stopped otherwise.
                std::process::abort();
            }
        }
    });
}

/// A seed that no run had before.
fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos() as u64
}

/// Writes an input to a file of its own.
fn kept(input: &[u8]) -> PathBuf {
    let file = tempfile::Builder::new().prefix("tidegate-fuzz-").tempfile().unwrap();
    let (_, path) = file.keep().unwrap();
    std::fs::write(&path, input).unwrap();
    path
}
