#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::*;

#[test]
fn the_same_question_gets_the_same_answer() {
    assert_eq!(Text::answer(1, "hi").as_str(), Text::answer(1, "hi").as_str());
    assert!(Text::answer(1, "hi").as_str().starts_with("Hello from Tidegate's simulator! You said: \"hi\"."));
}

#[test]
fn the_seed_changes_the_answer() {
    let answers: std::collections::BTreeSet<_> =
        (0..32).map(|seed| Text::answer(seed, "hi").as_str().to_owned()).collect();
    assert_eq!(answers.len(), CLOSINGS.len());
}

#[test]
fn filler_has_as_many_tokens_as_asked_for() {
    for tokens in [0, 1, 2, 100] {
        let text = Text::filler(7, "hi", tokens);
        assert_eq!(text.tokens(), tokens);
        assert_eq!(Text::cut(text.as_str().to_owned()).tokens(), tokens);
    }
}

#[test]
fn a_limit_leaves_out_whole_tokens() {
    let mut text = Text::cut("one two three".into());
    assert!(!text.clone().limit(3));
    assert!(text.limit(2));
    assert_eq!((text.as_str(), text.tokens()), ("one two", 2));
}

proptest! {
    #[test]
    fn the_pieces_make_the_text(text in ".{0,120}") {
        let cut = Text::cut(text.clone());
        let pieces: String = (0..cut.tokens()).map(|index| cut.piece(index)).collect();
        prop_assert_eq!(pieces, text);
        prop_assert_eq!(cut.piece(cut.tokens()), "");
    }
}
