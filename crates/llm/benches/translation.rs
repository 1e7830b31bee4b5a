//! Figures, not verdicts: `cargo bench -p tidegate-llm`. How long translating takes, and how often it allocates.

use std::hint::black_box;
use std::time::Instant;

use tidegate_llm::model::{Event, Losses, Part, Request, Role, Stop, StopReason, StreamStart, TokenCounts, Turn};
use tidegate_llm::{
    Dialect, LossPolicy, PathFacts, Quirks, Raw, Renames, Reply, StreamTranslator, Target, translate_request,
};

const TURNS: usize = 100;
const TURN_BYTES: usize = 1000;
const EVENTS: usize = 1000;

fn main() {
    println!("a request of {TURNS} turns, 100 KB");
    for (from, to) in pairs() {
        let body = request(from);
        let target = Target { dialect: to.into(), quirks: Quirks::default(), losses: LossPolicy::Drop };
        let path = PathFacts { model: Some("a-model"), stream: false };
        let work = || {
            let raw = Raw::new(&body).expect("JSON");
            drop(black_box(translate_request(from, &target, raw, path)));
        };
        let (each, allocations) = (shortest(&work), allocations(&work));
        let rate = body.len() as f64 / each;
        println!("{} {:>8.0} µs {rate:>6.2} GB/s {allocations:>6} allocations", name(from, to), each / 1000.0);
    }
    println!("a stream of {EVENTS} pieces of text");
    for (from, to) in pairs() {
        let bytes = stream(from);
        let work = || {
            let mut translator = StreamTranslator::new(from, to, reply(), Renames::default());
            let mut out = Vec::with_capacity(4 * bytes.len());
            for chunk in bytes.chunks(bytes.len() / EVENTS + 1) {
                let _ = translator.push(chunk, &mut out, &mut |_| {});
            }
            black_box(translator.end(&mut out));
        };
        let (each, allocations) = (shortest(&work) / EVENTS as f64, allocations(&work) as f64 / EVENTS as f64);
        println!("{} {each:>8.0} ns and {allocations:>5.2} allocations per event", name(from, to));
    }
}

/// Every dialect to every other.
fn pairs() -> impl Iterator<Item = (Dialect, Dialect)> {
    let to_all = |from| Dialect::ALL.into_iter().map(move |to| (from, to));
    Dialect::ALL.into_iter().flat_map(to_all).filter(|(from, to)| from != to)
}

/// Nanoseconds of the run that nothing else disturbed.
fn shortest(work: &dyn Fn()) -> f64 {
    let run = || {
        let start = Instant::now();
        work();
        start.elapsed().as_nanos() as f64
    };
    (0..100).map(|_| run()).fold(f64::INFINITY, f64::min)
}

fn allocations(work: &dyn Fn()) -> u64 {
    allocation_counter::measure(work).count_total
}

fn request(dialect: Dialect) -> Vec<u8> {
    let mut request = Request::new(dialect);
    request.model = Some("a-model".into());
    request.max_tokens = Some(1000);
    for turn in 0..TURNS {
        let role = if turn % 2 == 0 { Role::User } else { Role::Assistant };
        let text = "What is the meaning of \"life\"? The quick brown fox. ".repeat(TURN_BYTES / 52);
        request.turns.push(Turn::new(role, vec![Part::text(text)]));
    }
    dialect.write_request(&request, &Quirks::default(), &mut Losses::default())
}

fn stream(dialect: Dialect) -> Vec<u8> {
    let (mut writer, mut out) = (dialect.stream_writer(reply()), Vec::new());
    let start = StreamStart { id: "an-id".into(), model: Some("a-model".into()), ..StreamStart::default() };
    writer.write(&Event::Start(start), &mut out);
    for _ in 0..EVENTS {
        writer.write(&Event::Text { choice: 0, text: " quick".into() }, &mut out);
    }
    let stop = Stop { reason: StopReason::End, native: "".into(), sequence: None };
    writer.write(&Event::Stop { choice: 0, stop }, &mut out);
    let counts = TokenCounts { input: 10, output: EVENTS as u64, ..TokenCounts::default() };
    writer.write(&Event::Usage(counts), &mut out);
    writer.finish(&mut out);
    out
}

fn reply() -> Reply {
    Reply { id: "an-id".into(), model: "a-model".into(), created: 1, include_usage: true, ..Reply::default() }
}

fn name(from: Dialect, to: Dialect) -> String {
    format!("  {:>18} to {:<18}", from.as_str(), to.as_str())
}
