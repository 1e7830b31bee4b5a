//! The promise behind every acknowledgement: it survives `kill -9` at any moment.
//!
//! The test starts itself again as a child process that writes and prints what was acknowledged, kills
//! it at a random moment, opens what it left behind, and compares. Hundreds of times, on one data folder.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;
use tidegate_store::{Expect, Store, Write};

const KILLS: u32 = 220;
/// In every eighth round the child is killed without waiting for its first acknowledgement: while it opens.
const EARLY_KILL_EVERY: u32 = 8;
const WRITERS: u64 = 4;
const DATA_FOLDER: &str = "TIDEGATE_STORE_KILL_TEST_FOLDER";

/// The child's life. Does nothing when run as an ordinary test.
#[test]
#[ignore = "the kill test runs it as its child process"]
fn writes_until_it_is_killed() {
    let Some(dir) = std::env::var_os(DATA_FOLDER) else {
        return;
    };
    let store = Store::open(Path::new(&dir)).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let writers: Vec<_> = (0..WRITERS).map(|n| tokio::spawn(count_up(store.clone(), n))).collect();
        for writer in writers {
            writer.await.unwrap();
        }
    });
}

/// Writes 1, 2, 3, … under two keys at once, from where an earlier life stopped.
async fn count_up(store: Store, writer: u64) {
    let [left, right] = pair(writer);
    let mut number = store.snapshot().get(&left).map_or(0, |item| item.value["n"].as_u64().unwrap());
    loop {
        number += 1;
        let value = json!({"n": number, "padding": "x".repeat(usize::try_from(number % 3000).unwrap())});
        let put = |key: &String| Write::Put { key: key.clone(), value: value.clone(), expect: Expect::Any, ttl: None };
        let outcomes = store.write(vec![put(&left), put(&right)]).await.unwrap();
        acknowledge(&format!("ack {writer} {number} {}", outcomes[0].revision));
        if number % 7 == writer {
            let id = store.next_id().await.unwrap();
            acknowledge(&format!("id {id}"));
        }
    }
}

/// One system call per line: a line is printed whole or not at all.
fn acknowledge(line: &str) {
    std::io::stdout().lock().write_all(format!("\n{line}\n").as_bytes()).unwrap();
}

fn pair(writer: u64) -> [String; 2] {
    [format!("/apisix/routes/{writer}"), format!("/apisix/services/{writer}")]
}

/// What the children were told, over all their lives.
#[derive(Default)]
struct Acknowledged {
    /// The highest number per writer.
    numbers: BTreeMap<u64, u64>,
    /// Every revision that was ever told: of batches and of ids.
    revisions: BTreeSet<u64>,
}

impl Acknowledged {
    /// Takes in a whole line; `true` if it was an acknowledgement.
    fn note(&mut self, line: &str) -> bool {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| words[at].parse::<u64>().unwrap();
        let revision = match words[0] {
            "ack" => {
                self.numbers.insert(number(1), number(2));
                number(3)
            }
            "id" => number(1),
            _ => return false,
        };
        assert!(self.revisions.insert(revision), "revision {revision} was given twice");
        true
    }

    fn latest(&self) -> u64 {
        self.revisions.last().copied().unwrap_or(0)
    }

    fn holds_in(&self, store: &Store) {
        let snapshot = store.snapshot();
        assert!(snapshot.revision >= self.latest(), "{} went back to {}", self.latest(), snapshot.revision);
        for (writer, acknowledged) in &self.numbers {
            let [left, right] = pair(*writer).map(|key| snapshot.get(&key).expect("an acknowledged item").clone());
            let stored = left.value["n"].as_u64().unwrap();
            assert!(stored >= *acknowledged, "writer {writer}: {acknowledged} was acknowledged, {stored} stored");
            assert_eq!((&left.value, left.modified_index), (&right.value, right.modified_index), "half a batch");
        }
    }
}

fn start_child(dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "writes_until_it_is_killed", "--nocapture", "--test-threads=1"])
        .env(DATA_FOLDER, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// One life: runs a child, kills it, and notes what it acknowledged.
fn live_and_die(dir: &Path, round: u32, acknowledged: &mut Acknowledged) {
    let mut child = start_child(dir);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).split(b'\n').map(Result::unwrap);
    let early = round.is_multiple_of(EARLY_KILL_EVERY);
    if !early {
        let first = lines.by_ref().find(|line| acknowledged.note(&String::from_utf8_lossy(line)));
        assert!(first.is_some(), "the child ended by itself");
    }
    // Not a wait for something: the random moment of death.
    std::thread::sleep(Duration::from_micros(fastrand::u64(0..if early { 20_000 } else { 40_000 })));
    child.kill().unwrap();
    for line in lines {
        acknowledged.note(&String::from_utf8_lossy(&line));
    }
    let status = child.wait().unwrap();
    assert!(!status.success() && status.code().is_none(), "killed, not ended: {status}");
}

#[test]
fn every_acknowledged_write_survives_a_kill_at_any_moment() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = Acknowledged::default();
    let mut revision = 0;
    for round in 0..KILLS {
        live_and_die(dir.path(), round, &mut acknowledged);
        let store = Store::open(dir.path()).unwrap();
        acknowledged.holds_in(&store);
        assert!(store.snapshot().revision >= revision, "round {round}");
        revision = store.snapshot().revision;
    }
    let told = acknowledged.revisions.len();
    assert!(told >= KILLS as usize, "only {told} acknowledgements");
    println!("{KILLS} kills, {told} acknowledgements, none lost");
}
