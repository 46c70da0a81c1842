// SPDX-License-Identifier: Apache-2.0
//! What a confined worker has: all that its work can reach.

use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use super::blocks::Blocks;
use crate::parent::spawn::FILES_AT_ONCE;

/// What a worker has once it is confined.
///
/// No call may be made that is not in [`ALLOWED`](crate::policy::calls::ALLOWED). What the standard library makes of
/// that: no `set_nonblocking` (an ioctl), no socket options, no threads, no opening of files.
pub struct Seat {
    /// Frames of records to the parent, orders from it.
    pub records: UnixStream,
    /// Blocks from the parent; the thread that takes them runs.
    pub(crate) blocks: Blocks,
    /// The folder, if that is the target.
    pub directory: Option<OwnedFd>,
    /// All the threads there are for work.
    pub pool: rayon::ThreadPool,
}

impl Seat {
    /// Receives this many descriptors that the parent sends with `Worker::send_files`.
    ///
    /// # Errors
    /// What the socket answers; `InvalidData` if something else comes.
    pub fn receive_files(&self, count: usize) -> io::Result<Vec<OwnedFd>> {
        let mut files = Vec::new();
        while files.len() < count {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES_AT_ONCE))];
            let mut ancillary = RecvAncillaryBuffer::new(&mut space);
            let mut byte = [0];
            let got = recvmsg(
                &self.records,
                &mut [IoSliceMut::new(&mut byte)],
                &mut ancillary,
                RecvFlags::CMSG_CLOEXEC,
            )?;
            let before = files.len();
            for message in ancillary.drain() {
                if let RecvAncillaryMessage::ScmRights(sent) = message {
                    files.extend(sent);
                }
            }
            if got.bytes == 0 || files.len() == before {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "no descriptors came"));
            }
        }
        Ok(files)
    }
}
