// SPDX-License-Identifier: Apache-2.0
//! From a question to an answer, by as many children as it takes.
//!
//! A child that dies takes all that it said with it. The first restart reads with one thread and nothing ahead, so that
//! the step announced last is the guilty one; from the second on, guilty steps are left out, and coverage says
//! `WORKER_CRASHED` there. When the restarts are used up, the whole target has failed.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use snapscan_schema::{Coverage, Level, Reason, Text};

use super::served::Served;
use super::spawn::{self, Setup, Worker};
use super::talk::{Death, End, Talk};
use crate::blocks::Fetch;
use crate::policy::{Barrier, Need};
use crate::target::{Bytes, Volume};
use crate::wire::check::{Asking, Told};
use crate::wire::request::{Asked, AskedVolume, LeftOut, MOST_VOLUMES, Origin, Request, Work};
use crate::{Error, Options, Target, Watch};

/// What is asked about, and by whom.
pub(crate) struct Ask<'a> {
    pub(crate) target: Target,
    pub(crate) options: &'a Options,
    pub(crate) watch: &'a Watch,
    asked: Asked,
    served: Option<Served>,
}

/// An answer to the question for a report.
pub(crate) struct Answer {
    /// What the last child said.
    pub(crate) told: Told,
    /// Barriers that are wanted and do not stand.
    pub(crate) open: Vec<Barrier>,
}

impl<'a> Ask<'a> {
    /// Makes a question ready.
    ///
    /// # Errors
    /// `Worker` if there are too many volumes, or one that nobody can serve.
    pub(crate) fn new(
        target: Target,
        options: &'a Options,
        watch: &'a Watch,
        fetch: Option<Arc<dyn Fetch>>,
    ) -> Result<Ask<'a>, Error> {
        let unfit = |why: String| Error::Worker { doing: "asking it", why };
        let asked = match &target {
            Target::Directory { name, .. } => Asked::Directory(name.clone()),
            Target::Disks(volumes) if volumes.len() > MOST_VOLUMES => {
                return Err(unfit(format!(
                    "{} volumes of one machine, at most {MOST_VOLUMES}",
                    volumes.len()
                )));
            }
            Target::Disks(volumes) => {
                let asked = volumes.iter().map(|volume| {
                    let origin = match volume.bytes {
                        Bytes::File(_) => Origin::File,
                        Bytes::Served { len, sector } => Origin::Served { len, sector },
                    };
                    AskedVolume { name: volume.name.clone(), origin }
                });
                Asked::Disks(asked.collect())
            }
        };
        let served = Served::of(&target, options, fetch)?;
        Ok(Ask { target, options, watch, asked, served })
    }

    /// The names that coverage and evidence give the volumes.
    pub(crate) fn volumes(&self) -> Vec<Vec<u8>> {
        match &self.target {
            Target::Directory { name, .. } => vec![name.clone()],
            Target::Disks(volumes) => volumes.iter().map(|volume| volume.name.clone()).collect(),
        }
    }

    fn files(&self) -> Vec<BorrowedFd<'_>> {
        match (&self.target, &self.served) {
            (Target::Directory { .. }, _) => Vec::new(),
            (_, Some(served)) => served.files.iter().map(AsFd::as_fd).collect(),
            (Target::Disks(volumes), None) => volumes.iter().filter_map(file).map(AsFd::as_fd).collect(),
        }
    }

    /// A conversation with a child that is served while it lasts.
    fn talk(
        &self,
        worker: &Worker,
        quiet: Option<Duration>,
        output: Output<'_>,
        request: &Request,
    ) -> Result<End, Error> {
        let asking = match request.work {
            Work::Inspect(_) | Work::Survey => Asking::Report(self.volumes()),
            Work::List { .. } | Work::Cat { .. } => Asking::Look,
        };
        let waits = || self.served.as_ref().is_some_and(|served| served.broker.counts().flying > 0);
        let mut talk = Talk {
            worker,
            watch: self.watch,
            quiet,
            waits: &waits,
            cpu: self.options.limits.cpu,
            hook: self.options.hook.as_ref(),
            output,
        };
        let Some(served) = &self.served else { return talk.run(request, &self.files(), asking) };
        std::thread::scope(|scope| {
            let serving = scope.spawn(|| served.serve(worker));
            let end = talk.run(request, &self.files(), asking);
            // The child has ended, and with it its end of the socket.
            let served = serving.join().unwrap_or_else(|_panic| Err("serving its blocks failed".to_owned()));
            match (end, served) {
                (Ok(End::Died(death)), Err(why)) => Ok(End::Died(Death { why, ..death })),
                (end, _) => end,
            }
        })
    }

    fn spawn(&self, threads: usize) -> Result<Worker, Error> {
        let Options { program, limits, require, hook, .. } = self.options;
        if let Some(hook) = hook {
            hook("sandbox.spawn");
        }
        let directory = match &self.target {
            Target::Directory { folder, .. } => Some(folder.as_fd()),
            Target::Disks(_) => None,
        };
        spawn::spawn(&Setup {
            program,
            threads,
            memory: limits.memory,
            cpu: limits.cpu,
            require: *require,
            directory,
            without: &[],
        })
    }

    fn request(&self, work: &Work, careful: bool, left_out: &[LeftOut]) -> Request {
        Request { target: self.asked.clone(), work: work.clone(), careful, left_out: left_out.to_vec() }
    }
}

type Output<'a> = &'a mut dyn FnMut(&[u8]) -> std::io::Result<()>;

fn file(volume: &Volume) -> Option<&File> {
    match &volume.bytes {
        Bytes::File(file) => Some(file),
        Bytes::Served { .. } => None,
    }
}

/// A report's contents, whatever becomes of the children.
///
/// # Errors
/// What a child says that keeps it from reading at all; `Worker` and `Confinement`; `Cancelled`.
pub(crate) fn report(ask: &Ask<'_>, work: &Work) -> Result<Answer, Error> {
    let mut left_out: Vec<LeftOut> = Vec::new();
    let mut death = None;
    for restart in 0..=ask.options.limits.restarts {
        let careful = restart > 0;
        let worker = ask.spawn(if careful { 1 } else { ask.options.threads })?;
        let open = open(&worker.barriers);
        let request = ask.request(work, careful, &left_out);
        match ask.talk(&worker, Some(ask.options.limits.quiet), &mut |_| Ok(()), &request)? {
            End::Told(told) => return Ok(Answer { told: with_lines(*told, &left_out), open }),
            End::Failed(failure) => return Err(failure.into()),
            End::Cancelled => {
                ask.served.iter().for_each(Served::cancel);
                return Err(Error::Cancelled);
            }
            End::Unheard(error) => return Err(Error::Output(error)),
            End::Died(this) => {
                if careful {
                    left_out.push(LeftOut { place: this.place.clone(), why: this.why.clone() });
                }
                death = Some((this, open));
            }
        }
    }
    let (death, open) = death.unwrap_or_default();
    Ok(Answer { told: given_up(ask, &death), open })
}

/// Bytes of a listing or file to `out`, by one child. What it said so far cannot be taken back, so there is no second.
///
/// # Errors
/// What a child says that keeps it from reading; `Crashed`; `Output` if `out` takes no more.
pub(crate) fn look(ask: &Ask<'_>, work: &Work, out: &mut dyn Write) -> Result<Vec<String>, Error> {
    let worker = ask.spawn(ask.options.threads)?;
    let request = ask.request(work, false, &[]);
    match ask.talk(&worker, None, &mut |bytes| out.write_all(bytes), &request)? {
        End::Told(told) => Ok(told.problems),
        End::Failed(failure) => Err(failure.into()),
        End::Cancelled => Err(Error::Cancelled),
        End::Unheard(error) => Err(Error::Output(error)),
        End::Died(Death { place, why }) => Err(Error::Crashed { place: place.to_string(), why }),
    }
}

/// The barriers that are wanted and do not stand.
fn open(barriers: &[Barrier]) -> Vec<Barrier> {
    let root = nix::unistd::geteuid().is_root();
    let wanted = |barrier: &&Barrier| barrier.name.rule().need(root) == Need::Demanded;
    barriers.iter().filter(wanted).filter(|barrier| !barrier.in_force()).cloned().collect()
}

/// A step that was left out has its line: if the child made none, the parent does.
fn with_lines(mut told: Told, left_out: &[LeftOut]) -> Told {
    let Some(coverage) = &mut told.coverage else { return told };
    let said = coverage.lines().iter().filter(|line| line.code == Some(Reason::WorkerCrashed)).count();
    for one in left_out.iter().skip(said) {
        let line = crashed(Level::Extractor, one.place.to_string(), &one.why);
        coverage.children.push(line);
    }
    told
}

/// What is to be said of a target whose readers all died.
fn given_up(ask: &Ask<'_>, death: &Death) -> Told {
    let mut top = Coverage::complete(Level::Machine, "machine", "");
    let why = format!(
        "the last of {} readers: at {}, {}",
        ask.options.limits.restarts.saturating_add(1),
        death.place,
        death.why
    );
    top.children = ask.volumes().into_iter().map(|name| crashed(Level::Volume, name, &why)).collect();
    Told { coverage: Some(top), ..Told::default() }
}

fn crashed(level: Level, name: impl Into<Text>, why: &str) -> Coverage {
    Coverage::because(level, name, Reason::WorkerCrashed, why)
}
