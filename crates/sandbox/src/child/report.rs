// SPDX-License-Identifier: Apache-2.0
//! The first frame on the records socket: which barriers the child raised.
//!
//! Shape: length in bytes (4, little-endian), then postcard of a list of number in the table and reason, or of why
//! there is no worker. It is sent before the child has seen a byte of a target, and bounded nevertheless.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

use crate::policy::{BARRIERS, Barrier, State};

/// Bytes of the frame at most.
const FRAME_BYTES: u32 = 16 << 10;

/// The barriers, or why the child cannot begin.
pub(crate) type Report = Result<Vec<Barrier>, String>;
/// The same as it is sent.
type Sent = Result<Vec<(u8, Option<String>)>, String>;

/// Sends the report.
pub(crate) fn send(mut records: &UnixStream, report: &Report) -> io::Result<()> {
    let sent: Sent = match report {
        Ok(barriers) => Ok(barriers.iter().map(number).collect()),
        Err(why) => Err(why.clone()),
    };
    let bytes = postcard::to_stdvec(&sent).map_err(io::Error::other)?;
    let len = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    records.write_all(&len.to_le_bytes())?;
    records.write_all(&bytes)
}

fn number(barrier: &Barrier) -> (u8, Option<String>) {
    let why = match &barrier.state {
        State::InForce => None,
        State::NotApplied(why) => Some(why.clone()),
    };
    (barrier.name as u8, why)
}

/// Receives the report.
///
/// # Errors
/// What the socket answers; `InvalidData` if it is no report.
pub(crate) fn receive(mut records: &UnixStream) -> io::Result<Report> {
    let bad = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
    let mut len = [0; 4];
    records.read_exact(&mut len)?;
    let len = u32::from_le_bytes(len);
    if len > FRAME_BYTES {
        return Err(bad("its report is too long"));
    }
    let mut bytes = vec![0; len as usize];
    records.read_exact(&mut bytes)?;
    let sent: Sent = postcard::from_bytes(&bytes).map_err(|_| bad("its report cannot be read"))?;
    let Ok(barriers) = sent else { return Ok(sent.map(|_| Vec::new())) };
    let barriers = barriers.into_iter().map(|(number, why)| {
        let rule =
            BARRIERS.get(usize::from(number)).ok_or_else(|| bad("its report names an unknown barrier"))?;
        Ok(Barrier { name: rule.name, state: why.map_or(State::InForce, State::NotApplied) })
    });
    barriers.collect::<io::Result<_>>().map(Ok)
}
