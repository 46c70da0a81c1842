// SPDX-License-Identifier: Apache-2.0
//! Which rounds there are: each point once by each method with one scanner, each name once with two, pairs of a kill at work
//! and one in recovery, power cuts, returns at the edges of windows, planted faults, and as many random rounds as are
//! asked for.

use std::collections::BTreeSet;
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use snapscan_cloud::sim;

use super::points::{Point, compare, firsts, is_delivery, points};
use super::random::random;
use super::rounds::{Bench, Outcome, Round};
use super::sabotage;
use super::world::{Method, Template};
use crate::steps;

/// Options of `crash`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// So many random rounds beside: point, pair, faults and scanners by chance
    #[arg(long, default_value_t = 0)]
    rounds: u64,
    /// What chance comes from; random rounds count up from it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Rounds at once: each spends most of its time waiting for its clock
    #[arg(long, default_value_t = 4)]
    jobs: usize,
    /// Only the random rounds: to look for more, and not a proof
    #[arg(long, requires = "rounds")]
    random_only: bool,
    /// Write the list of boundaries anew
    #[arg(long)]
    update: bool,
    /// Only one round, killed at this point, such as `spool.rename#1`, or `none`: a failure prints such a command
    #[arg(long, value_name = "NAME#NTH")]
    at: Option<Kill>,
    /// With --at: killed here when it comes back
    #[arg(long, requires = "at", value_name = "NAME#NTH")]
    again: Option<Kill>,
    /// With --at: the second scanner is killed here
    #[arg(long, requires = "at", value_name = "NAME#NTH")]
    beside: Option<Kill>,
    /// With --at: attach, not direct
    #[arg(long, requires = "at")]
    attach: bool,
    /// With --at: this many scanners
    #[arg(long, requires = "at", default_value_t = 1)]
    scanners: usize,
    /// With --at: what was not synced is lost
    #[arg(long, requires = "at")]
    power: bool,
    /// With --at: it comes back after so many seconds
    #[arg(long, requires = "at", default_value_t = 0)]
    away: u64,
    /// With --at: seconds for which a new id is unknown
    #[arg(long, requires = "at", default_value_t = 20)]
    late: u64,
    /// With --at: seconds that a snapshot takes
    #[arg(long, requires = "at", default_value_t = 5)]
    snapshot: u64,
    /// With --at: calls that fail, such as `CreateSnapshots#1 after Timeout`
    #[arg(long, requires = "at", default_value = "")]
    faults: sim::Plan,
    /// With --at: what Qualys answers first, such as `sync:reset-after`
    #[arg(long, requires = "at", value_delimiter = ',')]
    weather: Vec<String>,
    /// With --at: the fault that is planted, such as `dir-unsynced`
    #[arg(long, requires = "at")]
    sabotage: Option<String>,
}

/// A point on the command line, or none.
#[derive(Debug, Clone)]
struct Kill(Option<Point>);

impl std::str::FromStr for Kill {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "none" {
            return Ok(Self(None));
        }
        text.parse().map(|point| Self(Some(point)))
    }
}

/// Pairs in the gate beside those at boundaries that only recovery passes.
const PAIRS: u64 = 24;
/// Ends of windows, in seconds after a kill: of a message's lease, of the wait for what a call made that was given up (its
/// deadline and 15 minutes), and of the same for a copy (24 hours).
const EDGES: [u64; 3] = [300, DEADLINE + 15 * 60, DEADLINE + 24 * 3600];
/// How long a call that creates may take.
const DEADLINE: u64 = 120;
/// So long before and after an edge.
const MOMENT: u64 = 15;
/// Snapshots that were made are unknown for so long where a scanner comes back at an edge.
const LATE: u64 = 600;

/// Rounds so far.
#[derive(Default)]
struct Tally {
    points: BTreeSet<(Method, Point)>,
    passed: BTreeSet<String>,
    rounds: usize,
    missed: usize,
    leaked: usize,
    lost: usize,
    foreign: usize,
    hung: usize,
}

impl Tally {
    /// Prints the last line, and says what it means.
    fn told(&self) -> ExitCode {
        if self.missed > 0 {
            println!("   in {} rounds the agent was done before it came to its point", self.missed);
        }
        let Tally { points, rounds, leaked, lost, foreign, .. } = self;
        println!(
            "crash points {}, rounds {rounds}, leaked {leaked}, lost {lost}, foreign {foreign}",
            points.len()
        );
        if leaked + lost + foreign + self.hung == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// Runs the crash test.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let begun = Instant::now();
    let mut bench = bench()?;
    if let Some(at) = &arguments.at {
        return one(&bench, arguments, at.0.clone());
    }
    let mut tally = Tally::default();
    let dry = [(Method::Direct, 1), (Method::Attach, 1), (Method::Direct, 2), (Method::Attach, 2)];
    let mut traces = Vec::new();
    for (method, scanners) in dry {
        let outcome = calm(&bench, &Round::calm(method, scanners), &mut tally)?;
        bench.reference = bench.reference.take().or(outcome.report);
        traces.push((method, scanners, outcome.work));
    }
    // A snapshot that takes longer than a third of a lease lets the heartbeat beat.
    let slow = Round { snapshot: 150, ..Round::calm(Method::Direct, 1) };
    let beats = calm(&bench, &slow, &mut tally)?.work;
    println!("   dry runs: {} boundaries, {:.1} s", tally.passed.len(), begun.elapsed().as_secs_f64());

    let (rounds, known) = chosen(&traces, arguments.rounds > 0);
    let unknown = |point: &Point| !known.contains(&(Method::Direct, point.name.clone()));
    let beats = points(&beats).into_iter().filter(unknown);
    let rounds: Vec<Round> =
        rounds.into_iter().chain(beats.map(|point| slow.clone().killed(point))).collect();
    let mut pairs = Vec::new();
    if !arguments.random_only {
        let outcomes = many(&bench, arguments, &rounds, &mut tally);
        println!("   points: {} rounds, {:.1} s", rounds.len(), begun.elapsed().as_secs_f64());
        pairs = make_pairs(&rounds, &outcomes, &known, arguments.seed);
        many(&bench, arguments, &pairs, &mut tally);
        println!("   pairs: {} rounds, {:.1} s", pairs.len(), begun.elapsed().as_secs_f64());
    }

    let seeds = arguments.seed..arguments.seed.saturating_add(arguments.rounds);
    let random: Vec<Round> = seeds.filter_map(|seed| random(seed, &rounds, &pairs)).collect();
    many(&bench, arguments, &random, &mut tally);
    println!("   random: {} rounds, {:.1} s", random.len(), begun.elapsed().as_secs_f64());
    if arguments.random_only {
        return Ok(tally.told());
    }

    let compared = compare(&tally.passed, arguments.update);
    let planted = sabotage::plant(&bench);
    println!("   sabotage: {} planted, {:.1} s", sabotage::ALL, begun.elapsed().as_secs_f64());
    let code = tally.told();
    compared?;
    planted?;
    Ok(code)
}

/// Builds the program and the world. The program is copied, because the next build puts another one in its place.
fn bench() -> Result<Bench> {
    steps::run(Command::new("cargo").args([
        "build",
        "--quiet",
        "--features",
        "crash-points",
        "--bin",
        "snapscan",
    ]))?;
    let template = Template::make().context("making the template")?;
    let program = template.program(&steps::built("debug/snapscan"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    Ok(Bench { program, template, runtime, reference: None })
}

/// A round in which nothing happens must be clean.
fn calm(bench: &Bench, round: &Round, tally: &mut Tally) -> Result<Outcome> {
    let outcome = bench.round(round)?;
    tally.rounds += 1;
    tally.passed.extend(outcome.work.iter().chain(&outcome.later).cloned());
    if !outcome.verdict.is_clean() {
        let folder = outcome.folder.unwrap_or_default();
        bail!("{round}, undisturbed: {:?}; kept: {}", outcome.verdict, folder.display());
    }
    Ok(outcome)
}

/// Does rounds, and counts what came of them.
fn many(bench: &Bench, arguments: &Arguments, rounds: &[Round], tally: &mut Tally) -> Vec<Option<Outcome>> {
    let outcomes = bench.rounds(rounds, arguments.jobs);
    let mut all = Vec::new();
    for (round, outcome) in rounds.iter().zip(outcomes) {
        tally.rounds += 1;
        let Ok(outcome) = outcome else {
            tally.hung += 1;
            all.push(None);
            continue;
        };
        if !round.is_rough() {
            tally.passed.extend(outcome.work.iter().chain(&outcome.later).cloned());
        }
        if let Some(point) = round.kill.clone() {
            tally.missed += usize::from(!outcome.is_killed);
            tally.points.insert((round.method, point));
        }
        let verdict = &outcome.verdict;
        tally.leaked += verdict.leaked.len();
        tally.lost += verdict.lost.len();
        tally.foreign += verdict.foreign.len();
        all.push(Some(outcome));
    }
    all
}

/// The names that are known from undisturbed rounds, by method.
type Known = BTreeSet<(Method, String)>;

/// Rounds with one kill at work.
fn chosen(traces: &[(Method, usize, Vec<String>)], all: bool) -> (Vec<Round>, Known) {
    let (mut rounds, mut known) = (Vec::new(), Known::new());
    let (mut together, mut cut) = (BTreeSet::new(), BTreeSet::new());
    for (method, scanners, trace) in traces {
        let mut points = if *scanners == 1 || all { points(trace) } else { firsts(trace) };
        if !all {
            // Delivery is the same code by both methods, and so is what both pass with two scanners: once is enough for
            // the gate.
            points.retain(|point| *method == Method::Direct || !is_delivery(&point.name));
            points.retain(|point| *scanners == 1 || together.insert(point.name.clone()));
        }
        known.extend(trace.iter().map(|name| (*method, name.clone())));
        let calm = Round::calm(*method, *scanners);
        rounds.extend(points.into_iter().map(|point| calm.clone().killed(point)));
        if *scanners > 1 {
            continue;
        }
        let cuts =
            firsts(trace).into_iter().filter(|point| writes(&point.name) && cut.insert(point.name.clone()));
        rounds.extend(cuts.map(|point| Round { power: true, ..calm.clone().killed(point) }));
        for point in firsts(trace).into_iter().filter(|point| creates(&point.name)) {
            let edges = EDGES.iter().flat_map(|edge| [edge - MOMENT, edge + MOMENT]);
            // A volume that cannot be seen for so long is given up, and the job with it.
            let late = if *method == Method::Direct { LATE } else { calm.late };
            rounds.extend(edges.map(|away| Round { away, late, ..calm.clone().killed(point.clone()) }));
        }
    }
    (rounds, known)
}

/// Where a power cut may lose something: what is written here, or answered for by somebody else.
fn writes(name: &str) -> bool {
    let files = ["ledger.", "spool.", "dir.", "http.", "step."];
    files.iter().any(|beginning| name.starts_with(beginning))
        || ["s3:PutObject.after", "s3:DeleteObject.after", "sqs:DeleteMessage.after"]
            .iter()
            .any(|end| name.ends_with(end))
        || creates(name)
}

/// Where something was just made whose answer may have been lost.
fn creates(name: &str) -> bool {
    ["CreateSnapshots", "CopySnapshot", "CreateVolume"].iter().any(|action| {
        name.strip_prefix("cloud.ec2:").and_then(|name| name.strip_suffix(".after")) == Some(action)
    })
}

/// A kill at work and one in the restart: once for each boundary that only recovery passes, and some by chance.
fn make_pairs(rounds: &[Round], outcomes: &[Option<Outcome>], known: &Known, seed: u64) -> Vec<Round> {
    let mut pairs = Vec::new();
    let mut met = BTreeSet::new();
    let with_later: Vec<(&Round, &Outcome)> = rounds
        .iter()
        .zip(outcomes)
        .filter_map(|(round, outcome)| Some((round, outcome.as_ref()?)))
        .filter(|(round, outcome)| outcome.is_killed && round.again.is_none() && !outcome.later.is_empty())
        .collect();
    for (round, outcome) in &with_later {
        for point in firsts(&outcome.later) {
            let name = (round.method, point.name.clone());
            if !known.contains(&name) && met.insert(name) {
                pairs.push(Round { again: Some(point), ..(*round).clone() });
            }
        }
    }
    let mut chance = sim::Dice::new(seed);
    for _ in 0..PAIRS {
        let Some((round, outcome)) = chance.one_of(&with_later) else { break };
        let points = points(&outcome.later);
        let again = chance.one_of(&points).cloned();
        pairs.push(Round { again, ..(*round).clone() });
    }
    pairs
}

/// One round that is looked at more closely.
fn one(bench: &Bench, arguments: &Arguments, kill: Option<Point>) -> Result<ExitCode> {
    let method = if arguments.attach { Method::Attach } else { Method::Direct };
    let point = |at: &Option<Kill>| at.as_ref().and_then(|at| at.0.clone());
    let round = Round {
        kill,
        again: point(&arguments.again),
        beside: point(&arguments.beside),
        power: arguments.power,
        away: arguments.away,
        late: arguments.late,
        snapshot: arguments.snapshot,
        faults: arguments.faults.clone(),
        weather: arguments.weather.clone(),
        sabotage: arguments.sabotage.clone(),
        ..Round::calm(method, arguments.scanners)
    };
    let begun = Instant::now();
    let outcome = bench.round(&round)?;
    println!("{round}: killed {}, {:?}", outcome.is_killed, outcome.verdict);
    println!("   {:.1} s", begun.elapsed().as_secs_f64());
    outcome.work.iter().for_each(|name| println!("   work  {name}"));
    outcome.later.iter().for_each(|name| println!("   later {name}"));
    outcome.folder.iter().for_each(|folder| println!("   kept  {}", folder.display()));
    Ok(if outcome.verdict.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
