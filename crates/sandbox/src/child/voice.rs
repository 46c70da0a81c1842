// SPDX-License-Identifier: Apache-2.0
//! How a child says records: many a frame's time, one stream.

use std::io::{self, BufWriter, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};

use crate::wire::frame;
use crate::wire::record::{OUTPUT, Record};

/// The child's end of the records' socket, shared by its threads.
#[derive(Clone)]
pub(crate) struct Voice(Arc<Mutex<BufWriter<UnixStream>>>);

impl Voice {
    /// Speaks into this socket.
    pub(crate) fn new(stream: UnixStream) -> Voice {
        Voice(Arc::new(Mutex::new(BufWriter::with_capacity(frame::MOST, stream))))
    }

    /// Says a record, which waits for others to go together.
    ///
    /// # Errors
    /// What the socket answers.
    pub(crate) fn say(&self, record: &Record) -> io::Result<()> {
        frame::send(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), record)
    }

    /// Says a record and all that wait.
    ///
    /// # Errors
    /// What the socket answers.
    pub(crate) fn say_now(&self, record: &Record) -> io::Result<()> {
        let mut stream = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        frame::send(&mut *stream, record)?;
        stream.flush()
    }
}

/// A voice as somewhere to write to: what is written goes as output.
pub(crate) struct Spoken<'a>(pub(crate) &'a Voice);

impl Write for Spoken<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let some = &bytes[..bytes.len().min(OUTPUT)];
        self.0.say(&Record::Output(some.to_vec()))?;
        Ok(some.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}
