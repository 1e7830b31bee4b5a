//! Random changes to an input.

/// A small generator of random numbers (xorshift64*), which a seed repeats.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11
    }

    /// A number below `end`, or 0 if `end` is.
    pub fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { self.next() as usize % end }
    }

    pub fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    /// A part of `bytes`, at most 64 of them.
    fn range(&mut self, bytes: &[u8]) -> std::ops::Range<usize> {
        let start = self.below(bytes.len());
        start..start + self.below((bytes.len() - start).min(64) + 1)
    }
}

/// Values that readers must be ready for in any place.
const VALUES: [&str; 30] = [
    "null",
    "true",
    "false",
    "{}",
    "[]",
    "\"\"",
    "0",
    "-1",
    "1",
    "1e300",
    "0.70",
    "18446744073709551615",
    "18446744073709551616",
    "4294967296",
    "\"\\ud800\"",
    "\"\\u0000\"",
    "\"{\"",
    "\"{}\"",
    "{\"a\"\n:\r1}",
    "\"{\\n\\\"a\\\":\\r1}\"",
    "[[]]",
    "[null]",
    "[{}]",
    "{\"\":null}",
    "\"text\"",
    "\"tg:anthropic-messages:x\"",
    "\"stop\"",
    "[\"a\"]",
    "\"https://example.com/a\"",
    "\"data:image/png;base64,AA==\"",
];

/// Bytes that mean something to a framing.
const MARKS: [&str; 14] = [
    "\n",
    "\r",
    "\n\n",
    "\r\n\r\n",
    "data: ",
    "event: ",
    "data: [DONE]\n\n",
    ":",
    ",",
    "\"",
    "\\",
    "[",
    "{",
    "\u{feff}",
];

/// One of `corpus`, changed in a few places.
pub fn mutated(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = corpus[random.below(corpus.len())].clone();
    for _ in 0..=random.below(6) {
        mutate(&mut input, corpus, random);
    }
    input
}

fn mutate(input: &mut Vec<u8>, corpus: &[Vec<u8>], random: &mut Random) {
    match random.below(10) {
        0 => {
            let at = random.below(input.len());
            if let Some(byte) = input.get_mut(at) {
                *byte = random.next() as u8;
            }
        }
        1 => {
            let at = random.below(input.len() + 1);
            input.truncate(at);
        }
        2 => {
            let range = random.range(input);
            input.drain(range);
        }
        3 => {
            let copied = input[random.range(input)].to_vec();
            let at = random.below(input.len() + 1);
            input.splice(at..at, copied);
        }
        4 => {
            let mark = random.pick(&MARKS).bytes();
            let at = random.below(input.len() + 1);
            input.splice(at..at, mark);
        }
        5 => {
            let other = &corpus[random.below(corpus.len())];
            let tail = other[random.below(other.len())..].to_vec();
            input.truncate(random.below(input.len() + 1));
            input.extend(tail);
        }
        6 => repeat_line(input, random),
        _ => replace_value(input, random),
    }
}

/// Puts another value behind one of the colons.
fn replace_value(input: &mut Vec<u8>, random: &mut Random) {
    let from = random.below(input.len());
    let Some(colon) = input[from..].iter().position(|byte| *byte == b':').map(|at| from + at + 1) else { return };
    let value = random.pick(&VALUES).bytes();
    let end = end_of_value(&input[colon..]) + colon;
    input.splice(colon..end, value);
}

/// Where the value at the start of `json` ends, near enough.
fn end_of_value(json: &[u8]) -> usize {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (at, byte) in json.iter().enumerate() {
        match byte {
            _ if std::mem::take(&mut escaped) => {}
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' | b',' if depth == 0 => return at,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
    }
    json.len()
}

/// Says a line again, somewhere.
fn repeat_line(input: &mut Vec<u8>, random: &mut Random) {
    let lines: Vec<&[u8]> = input.split_inclusive(|byte| *byte == b'\n').collect();
    let Some(line) = lines.get(random.below(lines.len())).map(|line| line.to_vec()) else { return };
    let at: usize = lines[..random.below(lines.len() + 1)].iter().map(|line| line.len()).sum();
    input.splice(at..at, line);
}
