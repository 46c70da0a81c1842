// SPDX-License-Identifier: Apache-2.0
//! The words of the block socket as bytes.
//!
//! Shape: the worker says messages of 16 bytes: word (1), zeros (3), volume (4), index of the block (8). The agent
//! answers with the same 16 bytes, where byte 1 is why it refuses and bytes 2 and 3 are the length of the text that
//! follows. All numbers are little-endian. Between two `Done` of a block the agent answers it at most once: a `Need`
//! always, an `Advise` perhaps.

use std::io::{self, Read};

use super::{Refusal, Wanted};

/// Bytes of a message, and of an answer without its text.
pub(crate) const FRAME: usize = 16;
/// Asks without an answer at most.
pub(crate) const OUTSTANDING: usize = 256;
/// How many of those may be advice.
pub(crate) const ADVISED: usize = OUTSTANDING / 4;
/// Blocks that a worker keeps before it says `Done` to the oldest that it does not use; few in tests.
pub(crate) const KEPT: usize = if cfg!(test) { 64 } else { 1024 };
/// Blocks that the cache holds at least: what a worker keeps, has asked for, and reads with many threads.
pub(crate) const CACHED: u64 = if cfg!(test) { 512 } else { 2048 };
/// Bytes of the text of a refusal.
const WHY: usize = 400;

/// What the worker says of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Somebody waits for it.
    Need,
    /// It will be needed soon.
    Advise,
    /// It may be taken away.
    Done,
}

/// What the agent answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It lies in the cache file.
    Ready,
    /// It is all zeros.
    Zero,
    /// It cannot be had.
    Refused(Refusal),
}

impl Ask {
    pub(crate) fn encode(self, wanted: Wanted) -> [u8; FRAME] {
        let word = match self {
            Ask::Need => 1,
            Ask::Advise => 2,
            Ask::Done => 3,
        };
        encode(word, 0, 0, wanted)
    }

    /// `None` if these bytes are no message.
    pub(crate) fn decode(bytes: [u8; FRAME]) -> Option<(Ask, Wanted)> {
        let (head, wanted) = decode(bytes);
        let ask = match head {
            [1, 0, 0, 0] => Ask::Need,
            [2, 0, 0, 0] => Ask::Advise,
            [3, 0, 0, 0] => Ask::Done,
            _ => return None,
        };
        Some((ask, wanted))
    }
}

impl Answer {
    /// Appends the answer's bytes.
    pub(crate) fn encode(&self, wanted: Wanted, to: &mut Vec<u8>) {
        let (word, why, text) = match self {
            Answer::Ready => (1, 0, ""),
            Answer::Zero => (2, 0, ""),
            Answer::Refused(Refusal::Budget(text)) => (3, 1, text.as_str()),
            Answer::Refused(Refusal::Unavailable(text)) => (3, 2, text.as_str()),
            Answer::Refused(Refusal::Cancelled) => (3, 3, ""),
        };
        let cut = (0..=WHY.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        let text = text.get(..cut).unwrap_or("").as_bytes();
        to.extend(encode(word, why, u16::try_from(text.len()).unwrap_or(0), wanted));
        to.extend(text);
    }

    /// The next answer; `None` if the agent has closed the socket.
    ///
    /// # Errors
    /// `InvalidData` if it is none; what reading answers.
    pub(crate) fn read(from: &mut impl Read) -> io::Result<Option<(Wanted, Answer)>> {
        let mut bytes = [0; FRAME];
        match from.read_exact(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        let ([word, why, low, high], wanted) = decode(bytes);
        let mut text = vec![0; usize::from(u16::from_le_bytes([low, high]))];
        from.read_exact(&mut text)?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let answer = match (word, why) {
            (1, 0) => Answer::Ready,
            (2, 0) => Answer::Zero,
            (3, 1) => Answer::Refused(Refusal::Budget(text)),
            (3, 2) => Answer::Refused(Refusal::Unavailable(text)),
            (3, 3) => Answer::Refused(Refusal::Cancelled),
            _ => return Err(io::ErrorKind::InvalidData.into()),
        };
        Ok(Some((wanted, answer)))
    }
}

fn encode(word: u8, why: u8, text: u16, wanted: Wanted) -> [u8; FRAME] {
    let mut bytes = [0; FRAME];
    let text = text.to_le_bytes();
    let head = [word, why].into_iter().chain(text);
    let all = head.chain(wanted.volume.to_le_bytes()).chain(wanted.index.to_le_bytes());
    bytes.iter_mut().zip(all).for_each(|(to, from)| *to = from);
    bytes
}

fn decode(bytes: [u8; FRAME]) -> ([u8; 4], Wanted) {
    let [a, b, c, d, v0, v1, v2, v3, i0, i1, i2, i3, i4, i5, i6, i7] = bytes;
    let volume = u32::from_le_bytes([v0, v1, v2, v3]);
    let index = u64::from_le_bytes([i0, i1, i2, i3, i4, i5, i6, i7]);
    ([a, b, c, d], Wanted { volume, index })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: Wanted = Wanted { volume: 0x0102_0304, index: 0x1112_1314_1516_1718 };

    #[test]
    fn messages_have_their_sixteen_bytes_and_nothing_else_is_one() {
        let bytes = Ask::Done.encode(WANTED);
        assert_eq!(bytes, [3, 0, 0, 0, 4, 3, 2, 1, 0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11]);
        for ask in [Ask::Need, Ask::Advise, Ask::Done] {
            assert_eq!(Ask::decode(ask.encode(WANTED)), Some((ask, WANTED)));
        }
        for head in [[0, 0, 0, 0], [4, 0, 0, 0], [1, 1, 0, 0], [1, 0, 0, 1]] {
            let mut bad = bytes;
            bad[..4].copy_from_slice(&head);
            assert_eq!(Ask::decode(bad), None, "{head:?}");
        }
    }

    #[test]
    fn answers_carry_their_reason_cut_at_a_character() {
        let long = "ü".repeat(300);
        let refused = |refusal| Answer::Refused(refusal);
        let mut bytes = Vec::new();
        let answers = [
            Answer::Ready,
            Answer::Zero,
            refused(Refusal::Budget("all 4000 are used".into())),
            refused(Refusal::Unavailable(long.clone())),
            refused(Refusal::Cancelled),
        ];
        answers.iter().for_each(|answer| answer.encode(WANTED, &mut bytes));
        let mut from = bytes.as_slice();
        for answer in &answers {
            let (wanted, got) = Answer::read(&mut from).unwrap().unwrap();
            assert_eq!(wanted, WANTED);
            match (answer, got) {
                (Answer::Refused(Refusal::Unavailable(_)), Answer::Refused(Refusal::Unavailable(got))) => {
                    assert_eq!(got, "ü".repeat(200));
                }
                (answer, got) => assert_eq!(*answer, got),
            }
        }
        assert_eq!(Answer::read(&mut from).unwrap(), None);
    }
}
