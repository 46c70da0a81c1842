// SPDX-License-Identifier: Apache-2.0
//! One round: the program works and is killed, comes back, and after all windows have passed it is judged.
//!
//! | phase | the clock | what runs |
//! |---|---|---|
//! | work | runs | the agents until idle, the first with a point at which it kills itself, perhaps the second too |
//! | restart | goes on at once, or at the edge of a window | the first agent once more: what it does too early is too early |
//! | recovery | 25 hours later | the agents until idle: leases are over, every lookup counts, also that of a copy |
//! | later | 25 hours later, if Qualys had weather | the agents until idle: what stopped the uploads is over |
//! | reaping | 25 hours later | `snapscan reap` with each state folder |
//!
//! The second kill of a pair comes where its point is passed first, in the restart or in the recovery, which then
//! begins again.

use std::collections::VecDeque;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;
use snapscan_cloud::sim::Plan;

use super::delivery;
use super::judge::{self, Verdict};
use super::points::Point;
use super::random;
use super::scanner::{Running, Scanner, Told};
use super::serve::{Book, Served};
use super::world::{Method, Template, World};

/// Longer than every window: lease, call deadline and grace, 24 hours for copies.
const WINDOWS: Duration = Duration::from_secs(25 * 3600);
/// A phase takes a second or two; one that takes so long hangs.
const PATIENCE: Duration = Duration::from_secs(180);
/// With faults the work may wait for a window by itself: then the harness ends it, which is one more crash.
const SHORT: Duration = Duration::from_secs(5);
/// The other scanners go on beside the first one's restart; what they have not done by then they do in the recovery.
const BESIDE: Duration = Duration::from_secs(2);

/// What happens in a round.
#[derive(Debug, Clone)]
pub(super) struct Round {
    /// How the volumes are read.
    pub(super) method: Method,
    /// One, two or three.
    pub(super) scanners: usize,
    /// Where the first scanner is killed at work.
    pub(super) kill: Option<Point>,
    /// Where it is killed once more when it comes back.
    pub(super) again: Option<Point>,
    /// Where the second scanner is killed at work.
    pub(super) beside: Option<Point>,
    /// Is what was not synced lost with it?
    pub(super) power: bool,
    /// Seconds after the kill at which it comes back.
    pub(super) away: u64,
    /// Seconds for which a new id is unknown.
    pub(super) late: u64,
    /// Seconds that a snapshot takes.
    pub(super) snapshot: u64,
    /// Calls that fail.
    pub(super) faults: Plan,
    /// What Qualys answers before it answers as usual.
    pub(super) weather: Vec<String>,
    /// The fault that is planted in the program.
    pub(super) sabotage: Option<String>,
}

impl Round {
    /// Nothing happens.
    pub(super) fn calm(method: Method, scanners: usize) -> Self {
        Self {
            method,
            scanners,
            kill: None,
            again: None,
            beside: None,
            power: false,
            away: 0,
            late: 20,
            snapshot: 5,
            faults: Plan::default(),
            weather: Vec::new(),
            sabotage: None,
        }
    }

    /// True if calls fail beside the kill: then the work may wait for a window by itself.
    pub(super) fn is_rough(&self) -> bool {
        !self.faults.0.is_empty() || !self.weather.is_empty()
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
        if let Some(at) = &self.beside {
            write!(f, ", the second at {at}")?;
        }
        if self.power {
            f.write_str(", power cut")?;
        }
        if self.away > 0 {
            write!(f, ", away for {} s", self.away)?;
        }
        if !self.faults.0.is_empty() {
            write!(f, ", faults {}", self.faults)?;
        }
        if !self.weather.is_empty() {
            write!(f, ", weather {}", self.weather.join(","))?;
        }
        if let Some(fault) = &self.sabotage {
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
    /// The report that was made first, where there was no reference.
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
        let world = self.template.world(round.method, round.scanners, round.power, self.runtime.handle());
        let mut world = world.context("making a world")?;
        world.latency(round.late, round.snapshot)?;
        delivery::script(&world.standin, &round.weather)?;
        let before = judge::decoys(&world)?;
        let book = Book::default();
        let done = self.phases(round, &mut world, &book).with_context(|| format!("round: {round}"));
        let done = match done {
            Ok(done) => done,
            Err(error) => return Err(error.context(format!("kept: {}", world.keep().display()))),
        };
        let mut verdict = judge::judge(&world, &book, &before, self.reference.as_ref())?;
        verdict.lost.extend(done.torn);
        let parcels = if self.reference.is_none() { judge::parcels(&world)? } else { Vec::new() };
        let report = parcels.first().and_then(|parcel| judge::report(parcel).ok());
        let is_wanted = round.sabotage.is_some();
        let folder = (!verdict.is_clean() && !is_wanted).then(|| world.keep());
        let Done { work, later, is_killed, .. } = done;
        Ok(Outcome { verdict, work, later, is_killed, report, folder })
    }

    fn phases(&self, round: &Round, world: &mut World, book: &Book) -> Result<Done> {
        let told = |at: &Option<Point>| Told { at: at.clone(), sabotage: round.sabotage.clone() };
        let mut served = Served::begin(world, round.scanners, &round.faults, book)?;
        let scanners = self.scanners(world, &served)?;
        let first = scanners.first().context("no scanner")?;
        let mut runs = Vec::new();
        for (nth, one) in scanners.iter().enumerate() {
            let at = [&round.kill, &round.beside].get(nth).map_or(&None, |at| *at);
            runs.push(one.start("1-work", UNTIL_IDLE, &told(at))?);
        }
        let most = if round.is_rough() { SHORT } else { PATIENCE };
        let status = runs[0].wait(most)?;
        let mut done =
            Done { is_killed: status.is_none_or(|status| status.code().is_none()), ..Done::default() };
        done.work = runs[0].passed();
        let mut again = round.again.clone();
        if done.is_killed {
            if round.power {
                world.cut_power()?;
            }
            done.torn = delivery::torn(&world.findings());
            if round.away > 0 {
                drop(served);
                world.jump(Duration::from_secs(round.away));
                served = Served::begin(world, round.scanners, &round.faults, book)?;
            }
            let mut restart = first.start("2-restart", &["agent", "--once"], &told(&again))?;
            let status = restart.wait(most)?;
            done.later.extend(restart.passed());
            // The second kill has come, or it comes in the recovery.
            again = again.filter(|_| status.is_some_and(|status| status.code().is_some()));
            done.torn.extend(delivery::torn(&world.findings()));
        }
        for other in runs.iter_mut().skip(1) {
            other.wait(BESIDE)?;
        }
        drop(served);
        let mut phases = vec![("3-recovery", UNTIL_IDLE, None), ("4-reap", REAP, None)];
        if done.is_killed && again.is_some() {
            phases.insert(0, ("3-killed", UNTIL_IDLE, again));
        }
        if !round.weather.is_empty() {
            // The weather may first be met in the recovery, and a refused token stops all uploads for a quarter of an hour.
            phases.insert(phases.len() - 1, ("3-later", UNTIL_IDLE, None));
        }
        for (phase, words, at) in phases {
            world.jump(WINDOWS);
            let _served = Served::begin(world, round.scanners, &Plan::default(), book)?;
            done.later.extend(settle(&scanners, phase, words, &told(&at), &told(&None))?);
            done.torn.extend(delivery::torn(&world.findings()));
        }
        Ok(done)
    }

    fn scanners(&self, world: &World, served: &Served) -> Result<Vec<Scanner>> {
        let scanner = |(nth, socket): (usize, &PathBuf)| {
            Scanner::new(&self.program, world, &format!("scanner-{nth}"), socket.clone())
        };
        served.sockets.iter().enumerate().map(scanner).collect()
    }

    /// Does many rounds, some at a time; the outcomes are in the order of the rounds.
    pub(super) fn rounds(&self, rounds: &[Round], at_once: usize) -> Vec<Result<Outcome>> {
        let queue: Mutex<VecDeque<usize>> = Mutex::new((0..rounds.len()).collect());
        let done: Mutex<Vec<Option<Result<Outcome>>>> = Mutex::new(rounds.iter().map(|_| None).collect());
        let begun = Instant::now();
        let progress = |left: usize| {
            let ended = rounds.len().saturating_sub(left);
            if ended > 0 && ended.is_multiple_of(PROGRESS) {
                println!("   {ended} of {} rounds, {:.0} s", rounds.len(), begun.elapsed().as_secs_f64());
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..at_once {
                scope.spawn(|| {
                    loop {
                        let (next, left) = {
                            let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
                            (queue.pop_front(), queue.len())
                        };
                        let Some(next) = next else { return };
                        progress(left + 1);
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

/// What the phases of a round came to.
#[derive(Default)]
struct Done {
    work: Vec<String>,
    later: Vec<String>,
    is_killed: bool,
    /// Delivered folders that were found torn after a kill.
    torn: Vec<String>,
}

const UNTIL_IDLE: &[&str] = &["agent", "--until-idle"];
const REAP: &[&str] = &["reap"];
/// After so many rounds a line says how far it is.
const PROGRESS: usize = 50;

/// Tells at once of a round that is not clean, with the command that does it again.
fn tell(round: &Round, outcome: &Result<Outcome>) {
    let again = || random::command(round);
    match outcome {
        Err(error) => println!("FAILED {round}: {error:#}\n   again: {}", again()),
        Ok(outcome) => {
            if let Some(folder) = &outcome.folder {
                let folder = folder.display();
                println!("FAILED {round}: {:?}; kept: {folder}\n   again: {}", outcome.verdict, again());
            }
        }
    }
}

/// Runs all scanners to their end, the first one perhaps to its point; answers what that passed.
fn settle(
    scanners: &[Scanner],
    phase: &str,
    words: &[&str],
    first: &Told,
    others: &Told,
) -> Result<Vec<String>> {
    let told = std::iter::once(first).chain(std::iter::repeat(others));
    let runs: Result<Vec<Running>> =
        scanners.iter().zip(told).map(|(one, told)| one.start(phase, words, told)).collect();
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
