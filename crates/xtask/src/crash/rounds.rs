// SPDX-License-Identifier: Apache-2.0
//! One round: the program works and is killed, comes back, and after all windows have passed it is judged.
//!
//! | phase | the clock | what runs |
//! |---|---|---|
//! | work | runs | the agents until idle, the first with a point at which it kills itself |
//! | restart | goes on at once | the first agent once more: what it does too early is too early; perhaps killed again |
//! | recovery | 25 hours later | the agents until idle: leases are over, every lookup counts, also that of a copy |
//! | reaping | 25 hours later | `snapscan reap` with each state folder |

use std::collections::VecDeque;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use snapscan_cloud::sim::Plan;

use super::judge::{self, Verdict};
use super::points::Point;
use super::scanner::{Running, Scanner, Told};
use super::serve::{Book, Served};
use super::world::{Method, Template, World};

/// Longer than every window: lease, call deadline and grace, 24 hours for copies.
const WINDOWS: Duration = Duration::from_secs(25 * 3600);
/// A phase takes a second or two; one that takes so long hangs.
const PATIENCE: Duration = Duration::from_secs(90);
/// With faults the work may wait for a window by itself: then the harness ends it, which is one more crash.
const SHORT: Duration = Duration::from_secs(5);
/// The second scanner goes on beside the first one's restart; what it has not done by then it does in the recovery.
const BESIDE: Duration = Duration::from_secs(2);

/// What happens in a round.
#[derive(Debug, Clone)]
pub(super) struct Round {
    /// How the volumes are read.
    pub(super) method: Method,
    /// One or two.
    pub(super) scanners: usize,
    /// Where the first scanner is killed at work.
    pub(super) kill: Option<Point>,
    /// Where it is killed once more when it comes back.
    pub(super) again: Option<Point>,
    /// Is what was not synced lost with it?
    pub(super) power: bool,
    /// Seconds for which a new id is unknown.
    pub(super) late: u64,
    /// Seconds that a snapshot takes.
    pub(super) snapshot: u64,
    /// Calls that fail.
    pub(super) faults: Plan,
    /// The fault that is planted in the program.
    pub(super) sabotage: Option<&'static str>,
}

impl Round {
    /// Nothing happens.
    pub(super) fn calm(method: Method, scanners: usize) -> Self {
        Self {
            method,
            scanners,
            kill: None,
            again: None,
            power: false,
            late: 20,
            snapshot: 5,
            faults: Plan::default(),
            sabotage: None,
        }
    }

    /// The first scanner is killed here.
    pub(super) fn killed(self, at: Point) -> Self {
        Self { kill: Some(at), ..self }
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, scanners {}", self.method.name(), self.scanners)?;
        if let Some(at) = &self.kill {
            write!(f, ", killed at {at}")?;
        }
        if let Some(at) = &self.again {
            write!(f, ", again at {at}")?;
        }
        if self.power {
            f.write_str(", power cut")?;
        }
        if !self.faults.0.is_empty() {
            write!(f, ", faults {}", self.faults)?;
        }
        if let Some(fault) = self.sabotage {
            write!(f, ", sabotage {fault}")?;
        }
        Ok(())
    }
}

/// What came of a round.
#[derive(Debug)]
pub(super) struct Outcome {
    /// What is wrong.
    pub(super) verdict: Verdict,
    /// The boundaries that the first scanner passed at work.
    pub(super) work: Vec<String>,
    /// Those that it passed afterwards.
    pub(super) later: Vec<String>,
    /// Was it killed where it should be?
    pub(super) is_killed: bool,
    /// The report that was made first.
    pub(super) report: Option<Value>,
    /// The folder, where something is wrong.
    pub(super) folder: Option<PathBuf>,
}

/// What all rounds need.
pub(super) struct Bench {
    /// The program.
    pub(super) program: PathBuf,
    /// The folder that each round's is a copy of.
    pub(super) template: Template,
    /// Where clouds are served.
    pub(super) runtime: tokio::runtime::Runtime,
    /// What each report must say.
    pub(super) reference: Option<Value>,
}

impl Bench {
    /// Does one round.
    pub(super) fn round(&self, round: &Round) -> Result<Outcome> {
        let world = self.template.world(round.method, round.scanners, self.runtime.handle());
        let mut world = world.context("making a world")?;
        world.latency(round.late, round.snapshot)?;
        let before = judge::decoys(&world)?;
        let book = Book::default();
        let done = self.phases(round, &mut world, &book).with_context(|| format!("round: {round}"));
        let (work, later, is_killed) = match done {
            Ok(done) => done,
            Err(error) => return Err(error.context(format!("kept: {}", world.keep().display()))),
        };
        let verdict = judge::judge(&world, &book, &before, self.reference.as_ref())?;
        let report = judge::parcels(&world)?.first().and_then(|parcel| judge::report(parcel).ok());
        let is_wanted = round.sabotage.is_some();
        let folder = (!verdict.is_clean() && !is_wanted).then(|| world.keep());
        Ok(Outcome { verdict, work, later, is_killed, report, folder })
    }

    fn phases(
        &self,
        round: &Round,
        world: &mut World,
        book: &Book,
    ) -> Result<(Vec<String>, Vec<String>, bool)> {
        let told = |at: &Option<Point>| Told { at: at.clone(), sabotage: round.sabotage };
        let served = Served::begin(world, round.scanners, &round.faults, book)?;
        let scanners = self.scanners(world, &served)?;
        let (first, others) = scanners.split_first().context("no scanner")?;
        let mut runs = vec![first.start("1-work", UNTIL_IDLE, &told(&round.kill))?];
        for other in others {
            runs.push(other.start("1-work", UNTIL_IDLE, &told(&None))?);
        }
        let most = if round.faults.0.is_empty() { PATIENCE } else { SHORT };
        let status = runs[0].wait(most)?;
        let is_killed = status.is_none_or(|status| status.code().is_none());
        let work = runs[0].passed();
        let mut later = Vec::new();
        if is_killed {
            if round.power {
                let outbox = judge::parcels(world)?;
                first.cut_power(&work, outbox.first().map(Vec::as_slice))?;
            }
            let mut restart = first.start("2-restart", &["agent", "--once"], &told(&round.again))?;
            restart.wait(most)?;
            later.extend(restart.passed());
        }
        for other in runs.iter_mut().skip(1) {
            other.wait(BESIDE)?;
        }
        drop(served);
        world.jump(WINDOWS);
        let served = Served::begin(world, round.scanners, &Plan::default(), book)?;
        later.extend(settle(&scanners, "3-recovery", UNTIL_IDLE, &told(&None))?);
        drop(served);
        world.jump(WINDOWS);
        let _served = Served::begin(world, round.scanners, &Plan::default(), book)?;
        later.extend(settle(&scanners, "4-reap", &["reap"], &told(&None))?);
        Ok((work, later, is_killed))
    }

    fn scanners(&self, world: &World, served: &Served) -> Result<Vec<Scanner>> {
        let scanner = |(nth, socket): (usize, &PathBuf)| {
            let folder = world.path().join(format!("scanner-{nth}"));
            Scanner::new(&self.program, folder, socket.clone())
        };
        served.sockets.iter().enumerate().map(scanner).collect()
    }

    /// Does many rounds, some at a time; the outcomes are in the order of the rounds.
    pub(super) fn rounds(&self, rounds: &[Round], at_once: usize) -> Vec<Result<Outcome>> {
        let queue: Mutex<VecDeque<usize>> = Mutex::new((0..rounds.len()).collect());
        let done: Mutex<Vec<Option<Result<Outcome>>>> = Mutex::new(rounds.iter().map(|_| None).collect());
        std::thread::scope(|scope| {
            for _ in 0..at_once {
                scope.spawn(|| {
                    loop {
                        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                        let Some(next) = next else { return };
                        let outcome = self.round(&rounds[next]);
                        tell(&rounds[next], &outcome);
                        done.lock().unwrap_or_else(PoisonError::into_inner)[next] = Some(outcome);
                    }
                });
            }
        });
        let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.into_iter().flatten().collect()
    }
}

const UNTIL_IDLE: &[&str] = &["agent", "--until-idle"];

/// Tells at once of a round that is not clean, with all that is needed to do it again.
fn tell(round: &Round, outcome: &Result<Outcome>) {
    match outcome {
        Err(error) => println!("FAILED {round}: {error:#}"),
        Ok(outcome) => {
            if let Some(folder) = &outcome.folder {
                println!("FAILED {round}: {:?}; kept: {}", outcome.verdict, folder.display());
            }
        }
    }
}

/// Runs all scanners to their end; answers what the first one passed.
fn settle(scanners: &[Scanner], phase: &str, words: &[&str], told: &Told) -> Result<Vec<String>> {
    let runs: Result<Vec<Running>> = scanners.iter().map(|one| one.start(phase, words, told)).collect();
    let mut runs = runs?;
    for run in &mut runs {
        let ended = run.wait(PATIENCE)?;
        // Whether it did what it should is the judge's to say, from the cloud; that it never ends is said here.
        ended.with_context(|| format!("phase {phase} hangs: see {}", parent(&run.trace).display()))?;
    }
    Ok(runs.first().map(Running::passed).unwrap_or_default())
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}
