// SPDX-License-Identifier: Apache-2.0
//! One conversation with one child: the request, its records, and the end of it, whatever it was.

use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::process::{Ended, Exit};
use super::spawn::Worker;
use crate::wire::check::{Asking, Check, Lie, Said, Told};
use crate::wire::frame::{self, Frames};
use crate::wire::record::{Failure, Stage};
use crate::wire::request::{Place, Request};
use crate::{Error, Hook, Watch};

/// Time between two looks at the clock and at whoever may have cancelled.
const TICK: u16 = 100;
/// Bytes that are read at once.
const PIECE: usize = 64 << 10;

/// How a conversation ended.
#[derive(Debug)]
pub(crate) enum End {
    /// All was said.
    Told(Box<Told>),
    /// Nothing could be read, and the child said why.
    Failed(Failure),
    /// The child crashed, stood still or lied; what it had said is gone.
    Died(Death),
    /// Whoever waited wants it no more.
    Cancelled,
    /// Output could not be passed on.
    Unheard(std::io::Error),
}

/// The end of a child that did not come to its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Death {
    /// The step that it had announced last.
    pub(crate) place: Place,
    /// What happened.
    pub(crate) why: String,
}

/// A conversation.
pub(crate) struct Talk<'a> {
    /// The child.
    pub(crate) worker: &'a Worker,
    /// How far it is, and whether it is still wanted.
    pub(crate) watch: &'a Watch,
    /// How long a child may give no sign of progress; `None` for as long as it likes.
    pub(crate) quiet: Option<Duration>,
    /// True while blocks are being fetched for it: such time does not count as quiet.
    pub(crate) waits: &'a dyn Fn() -> bool,
    /// Processor time that it may use.
    pub(crate) cpu: Duration,
    /// Called before each piece of records is taken.
    pub(crate) hook: Option<&'a Hook>,
    /// Takes the bytes of a look.
    pub(crate) output: &'a mut dyn FnMut(&[u8]) -> std::io::Result<()>,
}

/// What is known of a child so far.
struct Heard {
    check: Check,
    place: Place,
    names: u64,
    stage: Stage,
    /// When it last did something new, or waited for blocks.
    lived: Instant,
    last: Option<Result<(), Failure>>,
}

/// Why a conversation is broken off.
enum Stop {
    Lie(Lie),
    Unheard(std::io::Error),
}

impl From<Lie> for Stop {
    fn from(lie: Lie) -> Self {
        Stop::Lie(lie)
    }
}

impl From<frame::Broken> for Stop {
    fn from(broken: frame::Broken) -> Self {
        Stop::Lie(broken.into())
    }
}

impl Talk<'_> {
    /// Asks, and listens to the end. The child has ended when this returns.
    ///
    /// # Errors
    /// `Worker` if the request is too large, or the system fails.
    pub(crate) fn run(
        &mut self,
        request: &Request,
        files: &[BorrowedFd<'_>],
        asking: Asking,
    ) -> Result<End, Error> {
        let ended = self.ask(request, files).and_then(|asked| match asked {
            true => self.listen(asking),
            // It died before it was asked.
            false => Ok(self.died(Place::default())),
        });
        self.worker.kill();
        ended
    }

    /// Asks; false if the child takes nothing any more.
    fn ask(&mut self, request: &Request, files: &[BorrowedFd<'_>]) -> Result<bool, Error> {
        let failed = |error: std::io::Error| Error::Worker { doing: "asking it", why: error.to_string() };
        let framed = frame::encode(request).map_err(failed)?;
        if std::io::Write::write_all(&mut &self.worker.records, &framed).is_err() {
            return Ok(false);
        }
        match self.worker.send_files(files) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }

    fn listen(&mut self, asking: Asking) -> Result<End, Error> {
        let mut heard = Heard {
            check: Check::new(asking),
            place: Place::default(),
            names: 0,
            stage: Stage::default(),
            lived: Instant::now(),
            last: None,
        };
        let mut frames = Frames::default();
        let mut piece = vec![0; PIECE];
        loop {
            if self.watch.is_cancelled() {
                return Ok(End::Cancelled);
            }
            if !self.is_ready()? {
                if (self.waits)() {
                    heard.lived = Instant::now();
                }
                if let Some(why) = self.stands_still(&heard) {
                    return Ok(End::Died(Death { place: heard.place, why }));
                }
                continue;
            }
            if let Some(hook) = self.hook {
                hook("sandbox.frame");
            }
            let got = match (&self.worker.records).read(&mut piece) {
                Ok(0) => break,
                Ok(got) => got,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                // A child that was killed with a request unread resets the stream.
                Err(_) => break,
            };
            let some = piece.get(..got).unwrap_or_default();
            match frames.feed(some, |record, bytes| {
                let said = heard.check.take(record, bytes)?;
                self.hear(&mut heard, said)
            }) {
                Ok(()) => {}
                Err(Stop::Lie(Lie(lie))) => {
                    return Ok(End::Died(Death { place: heard.place, why: format!("it lied: {lie}") }));
                }
                Err(Stop::Unheard(error)) => return Ok(End::Unheard(error)),
            }
        }
        let is_whole = frames.end().is_ok();
        match heard.last {
            Some(Ok(())) if is_whole => Ok(End::Told(Box::new(heard.check.into_told()))),
            Some(Err(failure)) if is_whole => Ok(End::Failed(failure)),
            _ => Ok(self.died(heard.place)),
        }
    }

    /// Takes what a record says; something new is a sign of life.
    fn hear(&mut self, heard: &mut Heard, said: Said) -> Result<(), Stop> {
        let is_new = match said {
            Said::Kept => true,
            Said::Entered(place) => {
                let is_new = place != heard.place;
                heard.place = place;
                is_new
            }
            Said::Progress(stage, names) => {
                let is_new = stage != heard.stage || names > heard.names;
                (heard.stage, heard.names) = (stage, names);
                self.watch.set(stage.words(), names);
                is_new
            }
            Said::Output(bytes) => {
                (self.output)(&bytes).map_err(Stop::Unheard)?;
                true
            }
            Said::Done => {
                heard.last = Some(Ok(()));
                true
            }
            Said::Failed(failure) => {
                heard.last = Some(Err(failure));
                true
            }
        };
        if is_new {
            heard.lived = Instant::now();
        }
        Ok(())
    }

    /// Waits a tick for bytes, or for the end of the stream.
    fn is_ready(&self) -> Result<bool, Error> {
        let mut polled = [PollFd::new(self.worker.records.as_fd(), PollFlags::POLLIN)];
        match poll(&mut polled, PollTimeout::from(TICK)) {
            Ok(count) => Ok(count > 0),
            Err(Errno::EINTR) => Ok(false),
            Err(errno) => Err(Error::Worker { doing: "listening to it", why: errno.to_string() }),
        }
    }

    fn stands_still(&self, heard: &Heard) -> Option<String> {
        let quiet = self.quiet?;
        (heard.lived.elapsed() > quiet).then(|| format!("it stood still for {} s", quiet.as_secs()))
    }

    /// The death of a child whose stream has ended.
    fn died(&self, place: Place) -> End {
        // Its end of the stream is closed, so it has nothing more to say.
        self.worker.kill();
        let why = match self.worker.wait() {
            // setrlimit(2): one limit for both, so SIGKILL and no SIGXCPU.
            Ok(ended) if ended.cpu >= self.cpu => {
                format!("it used up its {} s of processor time", self.cpu.as_secs())
            }
            Ok(ended) => how(ended),
            Err(error) => format!("it ended, nobody knows how: {error}"),
        };
        End::Died(Death { place, why })
    }
}

/// How a process ended, in words that are the same each time.
fn how(ended: Ended) -> String {
    match ended.exit {
        Exit::Signal(signal) => match nix::sys::signal::Signal::try_from(signal) {
            Ok(name) => format!("it was ended by {name}"),
            Err(_) => format!("it was ended by signal {signal}"),
        },
        Exit::Code(101) => "it panicked".to_owned(),
        Exit::Code(code) => format!("it ended with exit code {code} in the middle"),
    }
}
