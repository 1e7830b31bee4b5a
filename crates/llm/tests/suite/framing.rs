//! Server-sent events under every line end and every cut.

use proptest::prelude::*;
use tidegate_llm::{MAX_EVENT_BYTES, SseDecoder, SseError};

/// Name and data of each event.
type Events = Vec<(String, String)>;

fn decode(chunks: &[&[u8]]) -> Events {
    let mut decoder = SseDecoder::default();
    let mut events = Vec::new();
    for chunk in chunks {
        let done = decoder.push(chunk, |block| {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            events.extend(block.event().map(|event| (text(event.name), text(&event.data))));
        });
        assert!(done.unwrap() <= chunk.len());
    }
    events
}

fn unnamed(data: &[&str]) -> Events {
    data.iter().map(|data| (String::new(), (*data).to_owned())).collect()
}

#[test]
fn events_end_at_a_blank_line_of_any_kind() {
    let expected = unnamed(&["one", "two", "three"]);
    for end in ["\n", "\r\n", "\r"] {
        let stream = ["data: one", "", "data: two", "", "data: three", "", ""].join(end);
        assert_eq!(decode(&[stream.as_bytes()]), expected, "{end:?}");
        for cut in 0..stream.len() {
            let (head, tail) = stream.as_bytes().split_at(cut);
            assert_eq!(decode(&[head, tail]), expected, "{end:?} cut at {cut}");
        }
        let bytes: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
        assert_eq!(decode(&bytes), expected, "{end:?} byte by byte");
    }
}

#[test]
fn line_ends_may_be_mixed() {
    assert_eq!(decode(&[b"data: a\n\r\ndata: b\r\n\ndata: c\r\n\r"]), unnamed(&["a", "b", "c"]));
}

#[test]
fn several_data_lines_are_joined() {
    assert_eq!(decode(&[b"data: one\ndata:two\ndata:  three\n\n"]), unnamed(&["one\ntwo\n three"]));
}

#[test]
fn the_last_name_counts_and_other_fields_are_passed_over() {
    let stream = b"id: 7\nevent: first\nevent:second\nretry: 5\nnonsense\ndata: x\n\n";
    assert_eq!(decode(&[stream]), [("second".to_owned(), "x".to_owned())]);
}

#[test]
fn comments_are_no_events() {
    assert_eq!(decode(&[b": keep-alive\n\n:HTTP_STATUS/200\ndata: x\n\n: bye\n\n"]), unnamed(&["x"]));
}

#[test]
fn a_byte_order_mark_is_skipped_even_if_it_is_cut() {
    let stream = b"\xEF\xBB\xBFdata: x\n\ndata: y\n\n";
    for cut in 0..stream.len() {
        let (head, tail) = stream.split_at(cut);
        assert_eq!(decode(&[head, tail]), unnamed(&["x", "y"]), "cut at {cut}");
    }
}

#[test]
fn an_event_without_its_blank_line_is_not_told() {
    assert_eq!(decode(&[b"data: x\n\ndata: unfinished\n"]), unnamed(&["x"]));
}

#[test]
fn a_cr_closes_an_event_at_once() {
    let mut decoder = SseDecoder::default();
    let mut seen = 0;
    decoder.push(b"data: x\r\n\r", |_| seen += 1).unwrap();
    assert_eq!((seen, decoder.pending().len()), (1, 0));
}

#[test]
fn an_event_without_end_is_refused_at_the_limit() {
    let mut decoder = SseDecoder::default();
    let half = vec![b'x'; MAX_EVENT_BYTES / 2];
    assert!(decoder.push(&half, |_| {}).is_ok());
    assert!(decoder.push(&half, |_| {}).is_ok());
    let refused = decoder.push(b"x", |_| {});
    assert_eq!(refused, Err(SseError::EventTooLarge { max: MAX_EVENT_BYTES }));
    assert_eq!(decoder.pending().len(), MAX_EVENT_BYTES);
}

#[test]
fn an_event_beyond_the_limit_is_handed_out_in_pieces_and_not_kept() {
    let mut decoder = SseDecoder::new(16);
    let mut blocks: Vec<(String, bool)> = Vec::new();
    let mut handed = Vec::new();
    for chunk in ["data: x\n\nda", "ta: 123456789", "0123456789\n", "\r", "\ndata: y\n\n"] {
        let mut last = 0;
        decoder.push_passing_over(chunk.as_bytes(), |block| {
            handed.extend([block.held, &chunk.as_bytes()[last..block.end]].concat());
            last = block.end;
            blocks.push((String::from_utf8_lossy(block.bytes).into_owned(), block.is_piece));
        });
        assert!(decoder.pending().len() <= 16);
    }
    let told: Vec<(&str, bool)> = blocks.iter().map(|(bytes, is_piece)| (bytes.as_str(), *is_piece)).collect();
    let piece = ("", true);
    assert_eq!(told, [("data: x\n\n", false), ("data: 123456789", true), piece, ("data: y\n\n", false)]);
    assert_eq!(String::from_utf8(handed).unwrap(), "data: x\n\ndata: 1234567890123456789\n\r\ndata: y\n\n");
}

#[test]
fn an_event_in_one_chunk_is_not_copied() {
    let chunk = b"data: first\n\ndata: second\n\n";
    let inside = chunk.as_ptr_range();
    let mut decoder = SseDecoder::default();
    decoder
        .push(chunk, |block| {
            assert!(inside.contains(&block.bytes.as_ptr()));
            assert!(inside.contains(&block.event().unwrap().data.as_ptr()));
        })
        .unwrap();
}

proptest! {
    #[test]
    fn cutting_changes_nothing(
        stream in "(data: ?[a-zé€😀{}\":]{0,12}|event: [a-z]{1,4}|: c|x|)(\n|\r\n|\r){1,3}((data:[é€]{0,3}|)(\n|\r\n|\r)){0,9}",
        cuts in proptest::collection::vec(0usize..80, 0..8),
    ) {
        let bytes = stream.as_bytes();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        prop_assert_eq!(decode(&pieces), decode(&[bytes]));
    }

    #[test]
    fn blocks_and_pending_bytes_make_up_the_stream(stream in "[a-c:\r\n]{0,60}", size in 1usize..9) {
        let mut decoder = SseDecoder::default();
        let mut done = 0;
        for chunk in stream.as_bytes().chunks(size) {
            let before = decoder.pending().len();
            let consumed = decoder.push(chunk, |_| {}).unwrap();
            done += if consumed == 0 { 0 } else { before + consumed };
        }
        prop_assert_eq!(done + decoder.pending().len(), stream.len());
    }
}
