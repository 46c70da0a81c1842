// SPDX-License-Identifier: Apache-2.0
//! Volumes whose blocks come from the agent, over a socket and a cache file.

mod held;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, BufReader, Write};
use std::net::Shutdown;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use snapscan_disk::{BlockSource, SourceError};

use crate::blocks::frame::Answer;
use crate::blocks::{BLOCK, Wanted};

use held::{Held, Here};

/// Blocks that one read waits for at once; longer ones go step by step.
const STEP: u64 = 16;

/// A volume whose blocks are served.
#[derive(Debug)]
pub(crate) struct ServedVolume {
    /// Its length in bytes.
    pub(crate) len: u64,
    /// Its logical sectors' size in bytes, where that is known.
    pub(crate) sector: Option<u32>,
    /// Where its blocks lie once they have come, each at its own place; open for reading.
    pub(crate) cache: File,
}

/// The worker's end of the block socket.
pub(crate) struct Blocks(Arc<Link>);

struct Link {
    socket: UnixStream,
    desk: Arc<Desk>,
}

/// What readers and the thread that takes answers share.
#[derive(Default)]
struct Desk {
    state: Mutex<State>,
    changed: Condvar,
    waits: AtomicU64,
}

#[derive(Default)]
struct State {
    held: Held,
    /// Why no answer will come any more.
    closed: Option<String>,
    /// Threads that wait.
    waiting: usize,
}

impl Blocks {
    /// Starts the thread that takes the answers; nothing is asked yet. To be called while threads may be started.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub(crate) fn start(socket: UnixStream) -> io::Result<Self> {
        let desk = Arc::new(Desk::default());
        let (answers, at) = (socket.try_clone()?, Arc::clone(&desk));
        std::thread::Builder::new().name("blocks".to_owned()).spawn(move || at.take(&answers))?;
        Ok(Blocks(Arc::new(Link { socket, desk })))
    }

    /// The volumes as sources, numbered as they are given.
    pub(crate) fn volumes(&self, volumes: Vec<ServedVolume>) -> Vec<Arc<dyn BlockSource>> {
        let link = &self.0;
        let source = |(number, volume)| -> Arc<dyn BlockSource> {
            Arc::new(Served { link: Arc::clone(link), number, volume })
        };
        (0..).zip(volumes).map(source).collect()
    }

    /// How often a thread had to wait for blocks so far.
    #[cfg(test)]
    pub(crate) fn waits(&self) -> u64 {
        self.0.desk.waits.load(Ordering::Relaxed)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let _closed_before = self.socket.shutdown(Shutdown::Both);
    }
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes answers until there are no more.
    fn take(&self, mut socket: &UnixStream) {
        let mut from = BufReader::new(socket);
        let why = loop {
            let (wanted, answer) = match Answer::read(&mut from) {
                Ok(Some(answer)) => answer,
                Ok(None) => break "the agent has closed the block socket".to_owned(),
                Err(error) => break format!("the block socket fails: {error}"),
            };
            let mut state = self.state();
            let taken = state.held.answer(wanted, answer).and_then(|()| send(&mut state.held, &mut socket));
            if let Err(why) = taken {
                break why;
            }
            self.changed.notify_all();
        };
        self.state().closed = Some(why);
        self.changed.notify_all();
    }
}

impl Link {
    /// Waits until all these blocks have come; they stay until they are released.
    fn acquire(&self, wanted: &[Wanted]) -> Result<Vec<Here>, SourceError> {
        let mut state = self.desk.state();
        let mut waited = false;
        loop {
            let here = state.held.acquire(wanted);
            send(&mut state.held, &mut &self.socket).map_err(SourceError::Unavailable)?;
            if let Some(here) = here? {
                return Ok(here);
            }
            if let Some(why) = &state.closed {
                return Err(SourceError::Unavailable(why.clone()));
            }
            if !waited {
                self.desk.waits.fetch_add(1, Ordering::Relaxed);
                waited = true;
            }
            state.waiting += 1;
            state = self.desk.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
    }

    fn release(&self, wanted: &[Wanted]) -> Result<(), SourceError> {
        let mut state = self.desk.state();
        state.held.release(wanted);
        send(&mut state.held, &mut &self.socket).map_err(SourceError::Unavailable)
    }
}

/// Sends what there is to be said. The agent always reads, so this does not wait for long, and may hold the lock.
fn send(held: &mut Held, socket: &mut &UnixStream) -> Result<(), String> {
    let sent = socket.write_all(&held.out).map_err(|error| format!("the block socket fails: {error}"));
    held.out.clear();
    sent
}

/// One volume.
struct Served {
    link: Arc<Link>,
    number: u32,
    volume: ServedVolume,
}

impl Served {
    fn wanted(&self, blocks: Range<u64>) -> impl Iterator<Item = Wanted> + use<> {
        let volume = self.number;
        blocks.map(move |index| Wanted { volume, index })
    }

    /// Reads a part that lies in few blocks.
    fn step(&self, offset: u64, buf: &mut [u8]) -> Result<(), SourceError> {
        let wanted: Vec<_> = self.wanted(blocks(&(offset..offset + buf.len() as u64))).collect();
        let here = self.link.acquire(&wanted)?;
        let read = self.copy(offset, buf, &wanted, &here);
        self.link.release(&wanted)?;
        read
    }

    /// Copies from blocks that are here; neighbours with bytes are read together.
    fn copy(
        &self,
        offset: u64,
        mut buf: &mut [u8],
        wanted: &[Wanted],
        here: &[Here],
    ) -> Result<(), SourceError> {
        let mut at = offset;
        let mut left = wanted.iter().zip(here).peekable();
        while let Some((block, kind)) = left.next() {
            let mut end = (block.index + 1) * BLOCK;
            while left.next_if(|(_, next)| *next == kind).is_some() {
                end += BLOCK;
            }
            let len = usize::try_from(end - at).unwrap_or(usize::MAX).min(buf.len());
            let (now, later) = buf.split_at_mut(len);
            match kind {
                Here::Bytes => self.volume.cache.read_exact_at(now, at)?,
                Here::Zeros => now.fill(0),
            }
            (at, buf) = (end, later);
        }
        Ok(())
    }
}

/// The blocks in which bytes lie.
fn blocks(bytes: &Range<u64>) -> Range<u64> {
    if bytes.is_empty() { 0..0 } else { bytes.start / BLOCK..bytes.end.div_ceil(BLOCK) }
}

impl BlockSource for Served {
    fn len(&self) -> u64 {
        self.volume.len
    }

    fn sector_size(&self) -> Option<u32> {
        self.volume.sector
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), SourceError> {
        let end = offset.checked_add(buf.len() as u64);
        if end.is_none_or(|end| end > self.volume.len) {
            return Err(SourceError::PastEnd { offset, len: self.volume.len });
        }
        let (mut at, mut rest) = (offset, buf);
        while !rest.is_empty() {
            let stop = (at / BLOCK + STEP) * BLOCK;
            let len = usize::try_from(stop - at).unwrap_or(usize::MAX).min(rest.len());
            let (now, later) = rest.split_at_mut(len);
            self.step(at, now)?;
            (at, rest) = (stop, later);
        }
        Ok(())
    }

    fn is_hole(&self, range: Range<u64>) -> bool {
        let state = self.link.desk.state();
        let known = |wanted| state.held.is_zero(wanted);
        range.end <= self.volume.len && !range.is_empty() && self.wanted(blocks(&range)).all(known)
    }

    fn advise(&self, ranges: &[Range<u64>]) {
        let mut state = self.link.desk.state();
        let len = self.volume.len;
        let inside = ranges.iter().map(|range| range.start.min(len)..range.end.min(len));
        state.held.advise(inside.flat_map(|range| self.wanted(blocks(&range))));
        // Who reads will meet what is wrong with the socket.
        let _failed = send(&mut state.held, &mut &self.link.socket);
    }
}
