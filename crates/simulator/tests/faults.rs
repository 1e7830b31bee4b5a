//! Scripted faults, as a client sees them on the wire.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::Read;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::*;

const STREAM: &str = r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
const WHOLE: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;

#[test]
fn a_status_comes_with_the_error_that_was_scripted() {
    let answer =
        post(&simulator(), CHAT, "status=429,retry-after=2,error-code=insufficient_quota,header=x-extra:1", STREAM);
    assert_eq!((answer.status, answer.header("retry-after"), answer.header("x-extra")), (429, Some("2"), Some("1")));
    assert_eq!(answer.json()["error"]["code"], "insufficient_quota");
}

#[test]
fn a_model_can_be_unknown() {
    let answer = post(&simulator(), CHAT, "unknown-model", WHOLE);
    let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
    assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (404, Some("model_not_found")));
    assert!(message.contains("`m`"), "{message}");
}

#[test]
fn an_unknown_directive_is_refused() {
    let answer = post(&simulator(), CHAT, "hung", WHOLE);
    assert_eq!(
        (answer.status, answer.json()["error"]["message"].as_str().unwrap()),
        (400, "x-simulate: unknown directive \"hung\"")
    );
}

#[test]
fn a_stream_is_cut_after_so_many_events() {
    let answer = post(&simulator(), CHAT, "cut=3", STREAM);
    assert_eq!((answer.events().len(), answer.complete), (3, false));
}

#[test]
fn a_whole_answer_is_cut_in_the_middle() {
    let answer = post(&simulator(), CHAT, "cut", WHOLE);
    assert!(!answer.complete);
    assert!(!answer.body.is_empty());
}

#[test]
fn one_event_is_malformed_and_the_others_are_not() {
    let events = post(&simulator(), CHAT, "malformed=2,tokens=3", STREAM).events();
    let good: Vec<bool> =
        events.iter().map(|(_, data)| data == "[DONE]" || serde_json::from_str::<Value>(data).is_ok()).collect();
    assert_eq!(good, [true, false, true, true, true, true]);
    let whole = post(&simulator(), CHAT, "malformed", WHOLE);
    assert!(whole.complete && serde_json::from_slice::<Value>(&whole.body).is_err());
}

#[test]
fn an_error_event_is_the_last_one() {
    for (path, body) in [(CHAT, STREAM.to_owned()), (MESSAGES, STREAM.replacen('{', "{\"max_tokens\":9,", 1))] {
        let events = post(&simulator(), path, "error-event=3", &body).events();
        assert_eq!(events.len(), 3);
        let last: Value = serde_json::from_str(&events[2].1).unwrap();
        assert!(last["error"]["message"].is_string(), "{last}");
    }
}

#[test]
fn the_terminator_can_be_left_out() {
    let answer = post(&simulator(), CHAT, "no-done", STREAM);
    assert!(answer.complete && !answer.text().contains("[DONE]"));
}

#[test]
fn events_can_be_split_anywhere() {
    let plain = post(&simulator(), CHAT, "tokens=3", STREAM);
    let split = post(&simulator(), CHAT, "tokens=3,chunk-bytes=7", STREAM);
    assert!(split.chunks.iter().all(|chunk| chunk.len() <= 7));
    assert_eq!(split.events().len(), plain.events().len());
}

#[test]
fn comments_and_crlf_are_legal_sse() {
    let text = post(&simulator(), CHAT, "tokens=1,comments,crlf", STREAM).text();
    assert!(text.starts_with(": tidegate simulator\r\n\r\ndata: {"), "{text}");
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
}

#[test]
fn a_connection_is_closed_reset_or_fed_garbage_in_place_of_an_answer() {
    let simulator = simulator();
    for (simulate, kind) in
        [("close", std::io::ErrorKind::UnexpectedEof), ("reset", std::io::ErrorKind::ConnectionReset)]
    {
        assert_eq!(try_post(&simulator, CHAT, simulate, WHOLE).unwrap_err().kind(), kind, "{simulate}");
    }
    let mut stream = connect(simulator.addr);
    send(&mut stream, "POST", CHAT, "garbage", WHOLE);
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    assert!(bytes.starts_with(b"\x16\x03\x01"), "{bytes:?}");
}

#[test]
fn a_cut_can_be_a_reset() {
    let mut stream = connect(simulator_kept().addr);
    send(&mut stream, "POST", CHAT, "cut=2,reset", STREAM);
    let error = stream.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

fn simulator_kept() -> &'static tidegate_simulator::Running {
    static KEPT: std::sync::OnceLock<tidegate_simulator::Running> = std::sync::OnceLock::new();
    KEPT.get_or_init(simulator)
}

#[test]
fn a_head_can_be_slow_and_the_next_answer_fast_again() {
    let mut stream = connect(simulator_kept().addr);
    let start = Instant::now();
    send(&mut stream, "POST", CHAT, "slow-headers=2", WHOLE);
    let answer = receive(&mut stream).unwrap();
    assert!(start.elapsed() >= Duration::from_millis(2 * (answer.head.len() as u64 - 1)));
    send(&mut stream, "POST", CHAT, "", WHOLE);
    assert_eq!(receive(&mut stream).unwrap().status, 200);
}

#[test]
fn an_answer_can_be_the_connections_last() {
    let mut stream = connect(simulator_kept().addr);
    send(&mut stream, "POST", CHAT, "close-after", WHOLE);
    let answer = receive(&mut stream).unwrap();
    assert_eq!((answer.header("connection"), answer.complete), (Some("close"), true));
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_client_that_leaves_is_noticed_at_once() {
    for (simulate, body, read_first) in [
        ("hang", WHOLE, false),
        ("hang=2", STREAM, true),
        ("tps=2,tokens=1000", STREAM, true),
        ("ttft=600000", WHOLE, false),
    ] {
        let simulator = simulator();
        let mut stream = connect(simulator.addr);
        send(&mut stream, "POST", CHAT, simulate, body);
        if read_first {
            assert!(stream.read(&mut [0; 64]).unwrap() > 0);
        }
        wait_until("the request arrives", || journal(&simulator)["received"] == 1);
        assert_eq!(journal(&simulator)["aborted"], 0, "{simulate}");
        let left = Instant::now();
        drop(stream);
        wait_until("the departure is counted", || journal(&simulator)["aborted"] == 1);
        assert!(left.elapsed() < Duration::from_millis(400), "{simulate}: {:?}", left.elapsed());
        assert_eq!(journal(&simulator)["requests"][0]["end"], "aborted");
    }
}

#[test]
fn what_is_scripted_is_not_the_clients_fault() {
    let simulator = simulator();
    for simulate in ["", "cut=2", "close", "status=500", "no-done"] {
        let _ = try_post(&simulator, CHAT, simulate, STREAM);
    }
    wait_until("all are done", || journal(&simulator)["completed"] == 5);
    assert_eq!(journal(&simulator)["aborted"], 0);
}

#[test]
fn tokens_keep_the_pace() {
    let mut stream = connect(simulator_kept().addr);
    let start = Instant::now();
    send(&mut stream, "POST", CHAT, "ttft=80,tps=50,tokens=5,delay-after-first=40", STREAM);
    let answer = receive(&mut stream).unwrap();
    // 80 to the first token, 40 more and then four times 20.
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(200) && took < Duration::from_millis(2000), "{took:?}");
    assert!(answer.complete);

    let start = Instant::now();
    post(simulator_kept(), CHAT, "ttft=50,tps=100,tokens=6", WHOLE);
    assert!(start.elapsed() >= Duration::from_millis(100));
}

#[test]
fn a_script_fails_the_first_requests_and_reset_begins_again() {
    let simulator = simulator();
    let script = json!({"rules": [{"model": "m", "first": 2, "simulate": "status=500"}]}).to_string();
    assert_eq!(request(&simulator, "PUT", "/__simulator/script", &script).status, 200);
    let round = || [0; 3].map(|_: i32| post(&simulator, CHAT, "", WHOLE).status);
    assert_eq!(round(), [500, 500, 200]);
    assert_eq!(round(), [200, 200, 200]);
    assert_eq!(request(&simulator, "POST", "/__simulator/reset", "").status, 200);
    assert_eq!(round(), [500, 500, 200]);
    assert_eq!(journal(&simulator)["received"], 3);
    assert_eq!(request(&simulator, "PUT", "/__simulator/script", "{}").status, 400);
}

#[test]
fn a_script_file_that_is_wrong_stops_the_start() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), r#"{"rules":[{"simulate":"hung"}]}"#).unwrap();
    let options =
        tidegate_simulator::Options { script: Some(file.path().to_owned()), ..tidegate_simulator::Options::embedded() };
    let error = tidegate_simulator::spawn(options).unwrap_err().to_string();
    assert!(error.ends_with("the script's rule 1: x-simulate: unknown directive \"hung\""), "{error}");
}

#[test]
fn stopping_cuts_streams_and_frees_the_port() {
    let simulator = simulator();
    let addr = simulator.addr;
    let mut stream = connect(addr);
    send(&mut stream, "POST", CHAT, "hang=1", STREAM);
    assert!(stream.read(&mut [0; 64]).unwrap() > 0);
    simulator.stop();
    // What was sent before may still be read; then the connection has ended one way or the other.
    while matches!(stream.read(&mut [0; 4096]), Ok(n) if n > 0) {}
    assert!(std::net::TcpStream::connect(addr).is_err());
}

#[test]
fn a_token_can_tell_when_it_was_sent() {
    let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    let start = now();
    let answer = post(&simulator(), CHAT, "clock,tokens=2,tps=20", STREAM);
    let sent: Vec<u128> = answer
        .data()
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()?.strip_prefix('@')?.parse().ok())
        .collect();
    assert_eq!(sent.len(), 2);
    assert!(start < sent[0] && sent[0] + 40_000_000 < sent[1] && sent[1] < now(), "{sent:?}");
}
