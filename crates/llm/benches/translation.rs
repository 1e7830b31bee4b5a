//! Figures, not verdicts: `cargo bench -p tidegate-llm`. How long passing and translating take, and how often they
//! allocate; `-- pass`, `-- small` or `-- large` for one part of it.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tidegate_llm::model::{Event, Losses, Part, Request, Role, Stop, StopReason, StreamStart, TokenCounts, Turn};
use tidegate_llm::{
    BodyScan, Dialect, LossPolicy, PathFacts, Quirks, Raw, Renames, Reply, RequestPath, StreamFilter, StreamObserver,
    StreamTranslator, Target, UsageChunk, detect, translate_request,
};

const TURN_BYTES: usize = 1000;

/// What a chunk from the network holds.
const CHUNK_BYTES: usize = 4096;

/// A measurement is repeated for so long, but at least three times.
const PATIENCE: Duration = Duration::from_millis(200);

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let is_wanted = |part: &str| wanted.is_empty() || wanted.iter().any(|word| word == part);
    if is_wanted("pass") {
        [100, 10_000].into_iter().for_each(pass_request);
        [1_000, 100_000].into_iter().for_each(pass_stream);
    }
    if is_wanted("small") {
        translate_requests(100);
        translate_streams(1_000);
    }
    if is_wanted("large") {
        translate_requests(10_000);
        translate_streams(100_000);
    }
}

/// A request whose client and provider speak the same dialect, against a search for one byte in it.
fn pass_request(turns: usize) {
    let body = Bytes::from(request(Dialect::OpenAiChat, turns));
    println!("a request of {turns} turns, {} bytes, in its own dialect", body.len());
    let path = "/v1/chat/completions";
    let read = || {
        let scan = BodyScan::parse(&body, 128).expect("JSON");
        black_box(detect(RequestPath { normal: path, sent: path }, &scan).is_some());
    };
    tell_rate("scanned", body.len(), &read);
    tell_rate("memchr", body.len(), &|| {
        black_box(memchr::memchr(0, &body));
    });
}

/// A stream whose client and provider speak the same dialect.
fn pass_stream(events: usize) {
    let bytes = Bytes::from(stream(Dialect::OpenAiChat, events));
    println!("a stream of {events} events, {} bytes, in its own dialect", bytes.len());
    for usage in [UsageChunk::Forward, UsageChunk::Hide] {
        let work = || {
            let mut filter = StreamFilter::new(StreamObserver::new(Dialect::OpenAiChat.protocol()), usage);
            for start in (0..bytes.len()).step_by(CHUNK_BYTES) {
                let chunk = bytes.slice(start..bytes.len().min(start + CHUNK_BYTES));
                drop(black_box(filter.push(chunk)));
            }
            black_box(filter.end());
        };
        tell_rate(&format!("{usage:?}").to_lowercase(), bytes.len(), &work);
    }
    tell_rate("memchr", bytes.len(), &|| {
        black_box(memchr::memchr(0, &bytes));
    });
}

fn tell_rate(what: &str, bytes: usize, work: &dyn Fn()) {
    let (each, allocations) = (shortest(work), allocations(work));
    println!(
        "  {what:<10} {:>10.1} µs {:>7.2} GB/s {:>8.4} ms per MB {allocations:>6} allocations",
        each / 1000.0,
        bytes as f64 / each,
        each / bytes as f64
    );
}

fn translate_requests(turns: usize) {
    println!("a request of {turns} turns, {} KB", turns * TURN_BYTES / 1000);
    for (from, to) in pairs() {
        let body = request(from, turns);
        let target = Target { dialect: to.into(), quirks: Quirks::default(), losses: LossPolicy::Drop };
        let path = PathFacts { model: Some("a-model"), stream: false, betas: None };
        let work = || {
            let raw = Raw::new(&body).expect("JSON");
            drop(black_box(translate_request(from, &target, raw, path)));
        };
        let (each, allocations) = (shortest(&work), allocations(&work));
        let rate = body.len() as f64 / each;
        println!("{} {:>8.0} µs {rate:>6.2} GB/s {allocations:>6} allocations", name(from, to), each / 1000.0);
    }
}

fn translate_streams(events: usize) {
    println!("a stream of {events} pieces of text");
    for (from, to) in pairs() {
        let bytes = stream(from, events);
        let work = || {
            let mut translator = StreamTranslator::new(from, to, reply(), Renames::default());
            let mut out = Vec::with_capacity(4 * bytes.len());
            for chunk in bytes.chunks(bytes.len() / events + 1) {
                let _ = translator.push(chunk, &mut out, &mut |_| {});
            }
            black_box(translator.end(&mut out));
        };
        let (each, allocations) = (shortest(&work) / events as f64, allocations(&work) as f64 / events as f64);
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
    let begun = Instant::now();
    let mut best = f64::INFINITY;
    for round in 0.. {
        if round >= 3 && begun.elapsed() > PATIENCE {
            break;
        }
        best = best.min(run());
    }
    best
}

fn allocations(work: &dyn Fn()) -> u64 {
    allocation_counter::measure(work).count_total
}

fn request(dialect: Dialect, turns: usize) -> Vec<u8> {
    let mut request = Request::new(dialect);
    request.model = Some("a-model".into());
    request.max_tokens = Some(1000);
    for turn in 0..turns {
        let role = if turn % 2 == 0 { Role::User } else { Role::Assistant };
        let text = "What is the meaning of \"life\"? The quick brown fox. ".repeat(TURN_BYTES / 52);
        request.turns.push(Turn::new(role, vec![Part::text(text)]));
    }
    dialect.write_request(&request, &Quirks::default(), &mut Losses::default())
}

fn stream(dialect: Dialect, events: usize) -> Vec<u8> {
    let (mut writer, mut out) = (dialect.stream_writer(reply()), Vec::new());
    let start = StreamStart { id: "an-id".into(), model: Some("a-model".into()), ..StreamStart::default() };
    writer.write(&Event::Start(start), &mut out);
    for _ in 0..events {
        writer.write(&Event::Text { choice: 0, text: " quick".into() }, &mut out);
    }
    let stop = Stop { reason: StopReason::End, native: "".into(), sequence: None };
    writer.write(&Event::Stop { choice: 0, stop }, &mut out);
    let counts = TokenCounts { input: 10, output: events as u64, ..TokenCounts::default() };
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
