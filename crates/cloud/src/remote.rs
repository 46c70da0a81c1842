// SPDX-License-Identifier: Apache-2.0
//! A cloud in another process, behind a Unix socket.
//!
//! ```text
//!  server ─► client   Hello { version, epoch, speed }          once a connection
//!  client ─► server   (Scope, Call)                            one at a time a connection
//!  server ─► client   Result<Answer, Error>
//!  each frame: length in bytes (u32, little-endian), then so many bytes of postcard
//! ```
//!
//! A client that makes several calls at once uses a connection for each, and keeps them for later calls. A connection
//! that is cut leaves it unknown whether the call took effect, as on any network; the next call connects anew.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::{fs, io};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;

use crate::{Answer, Call, Clock, Cloud, Error, Scope, Service};

/// Bytes of a frame at most: a block has half a MiB, a report may have some.
const FRAME: usize = 64 << 20;
/// The form of the frames.
const VERSION: u32 = 2;

/// What a server says first.
#[derive(Debug, Serialize, Deserialize)]
struct Hello {
    version: u32,
    epoch: u64,
    speed: u32,
}

/// Answers the calls that come in at `socket` from `service`, until the task is dropped. A socket that a dead server
/// left there is replaced.
///
/// # Errors
/// What the system answers about the socket; `AddrInUse` if somebody serves there.
pub async fn serve(socket: &Path, service: Arc<dyn Service>, clock: Clock) -> io::Result<()> {
    let listener = listen(socket).await?;
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                let service = Arc::clone(&service);
                // A client that goes away ends its connection, and nothing else.
                connections.spawn(async move { drop(converse(stream, service, clock).await) });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn listen(socket: &Path) -> io::Result<UnixListener> {
    match UnixListener::bind(socket) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            if UnixStream::connect(socket).await.is_ok() {
                return Err(error);
            }
            fs::remove_file(socket)?;
            UnixListener::bind(socket)
        }
        bound => bound,
    }
}

/// Answers one client's calls, one after the other.
async fn converse(mut stream: UnixStream, service: Arc<dyn Service>, clock: Clock) -> io::Result<()> {
    let (epoch, speed) = clock.shared();
    send(&mut stream, &Hello { version: VERSION, epoch, speed }).await?;
    loop {
        let (scope, call): (Scope, Call) = receive(&mut stream).await?;
        let waits = matches!(call, Call::Receive(_));
        let answer = service.call(&scope, call);
        let answer: Result<Answer, Error> = if waits {
            // Nobody shall wait for messages in the name of a client that has gone.
            tokio::select! {
                answer = answer => answer,
                gone = closed(&stream) => return gone,
            }
        } else {
            answer.await
        };
        send(&mut stream, &answer).await?;
    }
}

/// Waits until the client has closed its end. It sends nothing while it waits for an answer.
async fn closed(stream: &UnixStream) -> io::Result<()> {
    loop {
        stream.readable().await?;
        match stream.try_read(&mut [0; 1]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
            Ok(_) => return Ok(()),
        }
    }
}

/// The client's half.
pub struct Remote {
    socket: PathBuf,
    /// Connections on which no call is under way.
    idle: Mutex<Vec<UnixStream>>,
}

impl Remote {
    /// Connects; the answer carries the clock of the cloud.
    ///
    /// # Errors
    /// What the system answers about the socket.
    pub async fn connect(socket: &Path) -> io::Result<Cloud> {
        let (stream, hello) = open(socket).await?;
        let clock = match hello.speed {
            0 | 1 => Clock::real(),
            speed => Clock::fast(hello.epoch, speed),
        };
        let remote = Self { socket: socket.to_owned(), idle: Mutex::new(vec![stream]) };
        Ok(Cloud { service: Arc::new(remote), clock })
    }

    /// A connection on which no call is under way: one that is still open, or a new one.
    async fn connection(&self) -> io::Result<UnixStream> {
        loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            match idle {
                // The server says nothing unasked: what can be read here is its end.
                Some(stream) => match stream.try_read(&mut [0; 1]) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(stream),
                    _ => {}
                },
                None => return Ok(open(&self.socket).await?.0),
            }
        }
    }
}

async fn open(socket: &Path) -> io::Result<(UnixStream, Hello)> {
    let mut stream = UnixStream::connect(socket).await?;
    let hello: Hello = receive(&mut stream).await?;
    if hello.version == VERSION {
        return Ok((stream, hello));
    }
    let message =
        format!("the cloud at {} speaks version {}, not {VERSION}", socket.display(), hello.version);
    Err(io::Error::new(io::ErrorKind::InvalidData, message))
}

#[async_trait::async_trait]
impl Service for Remote {
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, Error> {
        let action = call.action().name();
        let mut stream = self.connection().await.map_err(|error| {
            Error::of(action, "Unreachable", format!("cannot connect to {}: {error}", self.socket.display()))
        })?;
        let lost = |error: io::Error| {
            Error::of(action, "ConnectionLost", format!("the connection to the cloud was cut: {error}"))
        };
        let frame = encode(&(scope, call)).map_err(|error| {
            Error::of(action, "RequestTooLarge", format!("the call cannot be sent: {error}"))
        })?;
        stream.write_all(&frame).await.map_err(lost)?;
        let answer: Result<Answer, Error> = receive(&mut stream).await.map_err(lost)?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(stream);
        answer
    }
}

/// A value as a frame.
fn encode<T: Serialize>(value: &T) -> io::Result<Vec<u8>> {
    let mut frame = postcard::to_extend(value, vec![0; 4]).map_err(io::Error::other)?;
    let length = frame.len().saturating_sub(4);
    match (u32::try_from(length), frame.first_chunk_mut::<4>()) {
        (Ok(bytes), Some(head)) if length <= FRAME => *head = bytes.to_le_bytes(),
        _ => return Err(too_long(length)),
    }
    Ok(frame)
}

async fn send<T: Serialize>(stream: &mut (impl AsyncWrite + Unpin), value: &T) -> io::Result<()> {
    stream.write_all(&encode(value)?).await
}

async fn receive<T: DeserializeOwned>(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<T> {
    let length = usize::try_from(stream.read_u32_le().await?).unwrap_or(usize::MAX);
    if length > FRAME {
        return Err(too_long(length));
    }
    let mut frame = vec![0; length];
    stream.read_exact(&mut frame).await?;
    postcard::from_bytes(&frame).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

fn too_long(length: usize) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a frame of {length} bytes; {FRAME} are allowed"))
}

#[cfg(test)]
mod tests;
