//! Fresh keys, from the operating system's random numbers.

use aws_lc_rs::rand;

use crate::failure::Failure;

const LETTERS: &[u8; 52] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// `length` letters, each with the same chance: 5.7 bits per letter.
///
/// # Errors
/// If the operating system has no random numbers.
pub fn letters(length: usize) -> Result<String, Failure> {
    let mut letters = String::with_capacity(length);
    let mut bytes = [0u8; 64];
    while letters.len() < length {
        rand::fill(&mut bytes).map_err(|_| Failure::runtime("the operating system gives no random numbers"))?;
        // Bytes beyond the last whole round of the alphabet would make its first letters more likely.
        let fair = bytes.iter().filter(|byte| usize::from(**byte) < LETTERS.len() * (256 / LETTERS.len()));
        letters.extend(fair.map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])));
    }
    letters.truncate(length);
    Ok(letters)
}
