// SPDX-License-Identifier: Apache-2.0
//! Serves a worker the blocks that it asks for.
//!
//! The thread that calls [`Broker::serve`] only reads the worker's asks and starts fetches; it never waits for one.
//! Whoever brings a block writes it into the cache; a second thread sends the answers. So a slow cloud, or a worker that
//! does not read its answers, stops nobody else.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::blocks::frame::{Answer, Ask, FRAME};
use crate::blocks::{BLOCK_BYTES, Budget, Counts, Fetch, Fetched, Refusal, Wanted};

use super::cache::CacheFiles;
use super::flight::{Book, Lie, LinkId, Step};

/// Serves the blocks of one job's volumes to its workers, one after another.
#[derive(Clone)]
pub(crate) struct Broker(Arc<Inner>);

struct Inner {
    fetch: Arc<dyn Fetch>,
    cache: CacheFiles,
    state: Mutex<State>,
}

struct State {
    book: Book,
    answers: HashMap<LinkId, Sender<(Wanted, Answer)>>,
}

impl Broker {
    /// A broker for volumes of so many bytes, whose cache files lie in `folder`.
    ///
    /// # Errors
    /// If the cache files cannot be made.
    pub(crate) fn within(
        folder: &Path,
        volumes: &[u64],
        budget: Budget,
        fetch: Arc<dyn Fetch>,
    ) -> io::Result<Self> {
        let cache = CacheFiles::new(folder, volumes)?;
        let state = Mutex::new(State { book: Book::new(volumes, budget), answers: HashMap::new() });
        Ok(Broker(Arc::new(Inner { fetch, cache, state })))
    }

    /// The same with the cache files in the system's folder for temporary files.
    ///
    /// # Errors
    /// If the cache files cannot be made.
    pub(crate) fn new(volumes: &[u64], budget: Budget, fetch: Arc<dyn Fetch>) -> io::Result<Self> {
        Self::within(&std::env::temp_dir(), volumes, budget, fetch)
    }

    /// The cache files of the volumes in their order, open for reading only: for the worker.
    ///
    /// # Errors
    /// What the system answers.
    pub(crate) fn files(&self) -> io::Result<Vec<File>> {
        self.0.cache.readable()
    }

    /// What was served so far, over all workers.
    pub(crate) fn counts(&self) -> Counts {
        self.0.state().book.counts()
    }

    /// Refuses everything that is asked from now on.
    pub(crate) fn cancel(&self) {
        self.0.state().book.cancel();
    }

    /// Serves one worker until it closes its end.
    ///
    /// # Errors
    /// If it said what no honest worker says; its socket is closed then.
    pub(crate) fn serve(&self, socket: UnixStream) -> Result<(), Lie> {
        let (to_send, answers) = channel();
        let id = {
            let mut state = self.0.state();
            let id = state.book.link();
            state.answers.insert(id, to_send);
            id
        };
        let socket = &socket;
        let served = std::thread::scope(|scope| {
            let sender = std::thread::Builder::new().name("blocks-send".to_owned());
            // Without that thread nobody is answered: the worker sees its socket close.
            let started = sender.spawn_scoped(scope, move || self.send(id, socket, answers));
            let read = if started.is_ok() { self.read(id, socket) } else { Ok(()) };
            // The last sender goes, so that the other thread ends; closing the socket ends a write that hangs.
            self.0.state().answers.remove(&id);
            let _closed_before = socket.shutdown(Shutdown::Both);
            read
        });
        let mut state = self.0.state();
        state.book.unlink(id);
        self.0.trim(&mut state);
        served
    }

    fn read(&self, id: LinkId, socket: &UnixStream) -> Result<(), Lie> {
        let mut from = BufReader::new(socket);
        let mut bytes = [0; FRAME];
        // However reading ends, the worker is gone: its end is judged where it is waited for.
        while from.read_exact(&mut bytes).is_ok() {
            let Some((ask, wanted)) = Ask::decode(bytes) else {
                return Err(Lie("the worker says what is no message on the block socket".to_owned()));
            };
            let mut state = self.0.state();
            let step = match ask {
                Ask::Done => state.book.done(id, wanted).map(|()| Step::Nothing)?,
                Ask::Need => state.book.ask(id, false, wanted)?,
                Ask::Advise => state.book.ask(id, true, wanted)?,
            };
            match step {
                Step::Nothing => self.0.trim(&mut state),
                Step::Answer(answer) => state.tell(id, wanted, answer),
                Step::Fetch => {
                    drop(state);
                    let landing = Landing { inner: Some(Arc::clone(&self.0)), wanted };
                    self.0.fetch.fetch(wanted, Box::new(move |fetched| landing.land(fetched)));
                }
            }
        }
        Ok(())
    }

    /// Sends answers until there can be no more, or the worker takes none.
    fn send(&self, id: LinkId, mut socket: &UnixStream, answers: Receiver<(Wanted, Answer)>) {
        while let Ok(first) = answers.recv() {
            let mut bytes = Vec::new();
            let mut state = self.0.state();
            for (wanted, answer) in std::iter::once(first).chain(answers.try_iter()) {
                // Before it is sent: the worker may ask again at once.
                state.book.sent(id);
                answer.encode(wanted, &mut bytes);
            }
            drop(state);
            if socket.write_all(&bytes).is_err() {
                return;
            }
        }
    }
}

/// What a fetch answers to. One that is dropped without an answer is one too: nobody waits for ever.
struct Landing {
    inner: Option<Arc<Inner>>,
    wanted: Wanted,
}

impl Landing {
    fn land(mut self, fetched: Fetched) {
        if let Some(inner) = self.inner.take() {
            inner.landed(self.wanted, fetched);
        }
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take() {
            let why = "the fetch was given up without an answer".to_owned();
            inner.landed(self.wanted, Fetched::Refused(Refusal::Unavailable(why)));
        }
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A block has come: into the cache with it, then everybody is told who waits for it.
    fn landed(&self, wanted: Wanted, fetched: Fetched) {
        let answer = match fetched {
            Fetched::Bytes(bytes) if bytes.len() == BLOCK_BYTES => match self.cache.write(wanted, &bytes) {
                Ok(()) => Answer::Ready,
                Err(error) => unavailable(format!("cannot write the cache of blocks: {error}")),
            },
            Fetched::Bytes(bytes) => {
                unavailable(format!("a block of {} bytes came instead of {BLOCK_BYTES}", bytes.len()))
            }
            Fetched::Zero => Answer::Zero,
            Fetched::Refused(refusal) => Answer::Refused(refusal),
        };
        let mut state = self.state();
        for id in state.book.landed(wanted, &answer) {
            state.tell(id, wanted, answer.clone());
        }
        self.trim(&mut state);
    }

    /// Takes blocks away that are over the cache's size. The lock is held meanwhile: nobody can fetch them anew before
    /// their old place is empty.
    fn trim(&self, state: &mut State) {
        for wanted in state.book.trim() {
            // Where room cannot be given back, the bytes just stay.
            let _stays = self.cache.punch(wanted);
        }
    }
}

impl State {
    fn tell(&self, id: LinkId, wanted: Wanted, answer: Answer) {
        if let Some(answers) = self.answers.get(&id) {
            // A worker that is gone needs no answer.
            let _gone = answers.send((wanted, answer));
        }
    }
}

fn unavailable(why: String) -> Answer {
    Answer::Refused(Refusal::Unavailable(why))
}

#[cfg(test)]
mod tests;
