// SPDX-License-Identifier: Apache-2.0
//! Where one message ends on a stream: a length, then that many bytes.

use std::io::{self, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Bytes of the largest message, its length not included.
pub const MOST: usize = 64 << 10;
/// Bytes of the length in front of it, little-endian.
const LENGTH: usize = 4;

/// Why what came is no message.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A length over [`MOST`].
    #[error("a frame of {0} bytes")]
    TooLong(u32),
    /// Bytes that are no message of the kind that was expected, or more than one.
    #[error("a frame of {0} bytes that is no record")]
    NoRecord(usize),
    /// The stream ended within a message.
    #[error("the stream ended within a frame")]
    CutOff,
}

/// One message as it goes onto the stream.
///
/// # Errors
/// `InvalidData` if it is larger than a frame: whoever makes messages keeps them smaller.
pub fn encode<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    let framed = postcard::to_extend(message, vec![0; LENGTH]).map_err(invalid)?;
    let len = framed.len().saturating_sub(LENGTH);
    let mut framed = framed;
    match (u32::try_from(len), framed.first_chunk_mut::<LENGTH>()) {
        (Ok(short), Some(front)) if len <= MOST => *front = short.to_le_bytes(),
        _ => return Err(invalid(format!("a message of {len} bytes is larger than a frame"))),
    }
    Ok(framed)
}

/// Writes one message.
///
/// # Errors
/// As [`encode`], and what the stream answers.
pub fn send<T: Serialize>(stream: &mut impl Write, message: &T) -> io::Result<()> {
    stream.write_all(&encode(message)?)
}

/// Waits for one message.
///
/// # Errors
/// `UnexpectedEof` if the stream ends, `InvalidData` if what comes is no message.
pub fn receive<T: DeserializeOwned>(stream: &mut impl Read) -> io::Result<T> {
    let mut length = [0; LENGTH];
    stream.read_exact(&mut length)?;
    let mut payload = vec![0; bounded(length).map_err(invalid)?];
    stream.read_exact(&mut payload)?;
    decode(&payload).map_err(invalid)
}

/// A length from the stream, checked before anything is allocated by it.
fn bounded(length: [u8; LENGTH]) -> Result<usize, Broken> {
    let length = u32::from_le_bytes(length);
    usize::try_from(length).ok().filter(|&len| len <= MOST).ok_or(Broken::TooLong(length))
}

/// One message from the bytes of a frame, all of them.
fn decode<T: DeserializeOwned>(payload: &[u8]) -> Result<T, Broken> {
    match postcard::take_from_bytes(payload) {
        Ok((message, [])) => Ok(message),
        _ => Err(Broken::NoRecord(payload.len())),
    }
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// Messages from a stream that is read piece by piece. Holds at most one frame and one piece.
#[derive(Debug, Default)]
pub struct Frames {
    held: Vec<u8>,
}

impl Frames {
    /// Takes what was read, and gives each whole message to `take`, which ends it by an error of its own.
    ///
    /// # Errors
    /// `Broken` as `E`, or what `take` answers.
    pub fn feed<T: DeserializeOwned, E: From<Broken>>(
        &mut self,
        bytes: &[u8],
        mut take: impl FnMut(T, usize) -> Result<(), E>,
    ) -> Result<(), E> {
        self.held.extend_from_slice(bytes);
        let mut rest = self.held.as_slice();
        while let Some((&length, behind)) = rest.split_first_chunk::<LENGTH>() {
            let Some((payload, behind)) = behind.split_at_checked(bounded(length)?) else { break };
            take(decode(payload)?, payload.len())?;
            rest = behind;
        }
        let done = self.held.len().saturating_sub(rest.len());
        self.held.drain(..done);
        Ok(())
    }

    /// Says that the stream ended.
    ///
    /// # Errors
    /// `CutOff` if it did so within a message.
    pub fn end(&self) -> Result<(), Broken> {
        if self.held.is_empty() { Ok(()) } else { Err(Broken::CutOff) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fed(frames: &mut Frames, bytes: &[u8]) -> Result<Vec<u32>, Broken> {
        let mut got = Vec::new();
        frames.feed(bytes, |number, _| {
            got.push(number);
            Ok::<(), Broken>(())
        })?;
        Ok(got)
    }

    #[test]
    fn messages_come_whole_however_the_stream_is_cut() {
        let sent: Vec<u8> = [7_u32, 300, 70_000].iter().flat_map(|n| encode(n).unwrap()).collect();
        // postcard's varints: 1, 2 and 3 bytes (postcard's wire format, "varint encoded integers").
        assert_eq!(sent.len(), 3 * 4 + 1 + 2 + 3);
        for cut in 0..=sent.len() {
            let mut frames = Frames::default();
            let mut got = fed(&mut frames, &sent[..cut]).unwrap();
            assert_eq!(frames.end().is_ok(), [0, 5, 11, 18].contains(&cut), "{cut}");
            got.extend(fed(&mut frames, &sent[cut..]).unwrap());
            assert_eq!((got, frames.end()), (vec![7, 300, 70_000], Ok(())), "{cut}");
        }
    }

    #[test]
    fn a_length_over_the_bound_is_refused_before_its_bytes_are_there() {
        let long = (MOST as u32 + 1).to_le_bytes();
        assert_eq!(fed(&mut Frames::default(), &long), Err(Broken::TooLong(65_537)));
        assert_eq!(fed(&mut Frames::default(), &[0xff; 4]), Err(Broken::TooLong(u32::MAX)));
        let error = receive::<u32>(&mut [0xff_u8; 8].as_slice()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(encode(&vec![1_u8; MOST]).is_err());
    }

    #[test]
    fn bytes_behind_a_message_in_its_frame_are_refused() {
        assert_eq!(fed(&mut Frames::default(), &[2, 0, 0, 0, 1, 1]), Err(Broken::NoRecord(2)));
        assert_eq!(fed(&mut Frames::default(), &[0, 0, 0, 0]), Err(Broken::NoRecord(0)));
    }
}
