// SPDX-License-Identifier: Apache-2.0
//! Which rounds there are: each point once by each method with one scanner, each name once with two, pairs of a kill at work
//! and one in recovery, power cuts at the spool, planted faults, and as many random rounds as are asked for.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use snapscan_cloud::sim;

use super::points::{Point, compare, firsts, points};
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
    /// Only one round, killed at this point, such as `spool.rename#1`; its folder is kept
    #[arg(long, value_name = "NAME#NTH")]
    at: Option<String>,
    /// With --at: attach, not direct
    #[arg(long, requires = "at")]
    attach: bool,
    /// With --at: this many scanners
    #[arg(long, requires = "at", default_value_t = 1)]
    scanners: usize,
}

/// Pairs in the gate beside those at boundaries that only recovery passes.
const PAIRS: u64 = 24;

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
        return one(&bench, arguments, at);
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

    let mut rounds = Vec::new();
    let mut together = BTreeSet::new();
    let mut known: BTreeSet<(Method, String)> = BTreeSet::new();
    for (method, scanners, trace) in &traces {
        let mut chosen = if *scanners == 1 || arguments.rounds > 0 { points(trace) } else { firsts(trace) };
        if *scanners == 2 && arguments.rounds == 0 {
            // What both methods pass is the same code: once with two scanners is enough for the gate.
            chosen.retain(|point| together.insert(point.name.clone()));
        }
        known.extend(trace.iter().map(|name| (*method, name.clone())));
        rounds.extend(chosen.into_iter().map(|point| Round::calm(*method, *scanners).killed(point)));
        if *scanners == 1 {
            rounds.extend(power_cuts(*method, trace));
        }
    }
    let unknown = |point: &Point| !known.contains(&(Method::Direct, point.name.clone()));
    let beats = points(&beats).into_iter().filter(unknown);
    rounds.extend(beats.map(|point| slow.clone().killed(point)));
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
    let program = template.program(Path::new(&target()).join("debug/snapscan").as_path())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    Ok(Bench { program, template, runtime, reference: None })
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from)
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
    outcome.report.as_ref().with_context(|| format!("{round}, undisturbed: no report"))?;
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
        if round.faults.0.is_empty() {
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

/// Power cuts: at each boundary of the spool.
fn power_cuts(method: Method, trace: &[String]) -> Vec<Round> {
    let spool = firsts(trace).into_iter().filter(|point| point.name.starts_with("spool."));
    spool.map(|point| Round { power: true, ..Round::calm(method, 1).killed(point) }).collect()
}

/// A kill at work and one in the restart: once for each boundary that only recovery passes, and some by chance.
fn make_pairs(
    rounds: &[Round],
    outcomes: &[Option<Outcome>],
    known: &BTreeSet<(Method, String)>,
    seed: u64,
) -> Vec<Round> {
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
    let mut chance = Chance(seed);
    for _ in 0..PAIRS {
        let Some((round, outcome)) = chance.one_of(&with_later) else { break };
        let points = points(&outcome.later);
        let again = chance.one_of(&points).cloned();
        pairs.push(Round { again, ..(*round).clone() });
    }
    pairs
}

/// A round by chance: one of those before, with faults, and one or two scanners.
fn random(seed: u64, rounds: &[Round], pairs: &[Round]) -> Option<Round> {
    let mut chance = Chance(seed);
    let from = if pairs.is_empty() || chance.next().is_multiple_of(2) { rounds } else { pairs };
    let round = chance.one_of(from).or_else(|| rounds.first())?.clone();
    let scanners = if chance.next().is_multiple_of(4) { 2 } else { 1 };
    let faults =
        if chance.next().is_multiple_of(4) { sim::Plan::default() } else { sim::Plan::from_seed(seed) };
    Some(Round { scanners, faults, ..round })
}

/// One round that is looked at more closely.
fn one(bench: &Bench, arguments: &Arguments, at: &str) -> Result<ExitCode> {
    let (name, nth) = at.rsplit_once('#').context("a point is NAME#NTH, such as spool.rename#1")?;
    let method = if arguments.attach { Method::Attach } else { Method::Direct };
    let point = Point { name: name.to_owned(), nth: nth.parse()? };
    let round = Round::calm(method, arguments.scanners).killed(point);
    let outcome = bench.round(&round)?;
    println!("{round}: killed {}, {:?}", outcome.is_killed, outcome.verdict);
    outcome.work.iter().for_each(|name| println!("   work  {name}"));
    outcome.later.iter().for_each(|name| println!("   later {name}"));
    outcome.folder.iter().for_each(|folder| println!("   kept  {}", folder.display()));
    Ok(if outcome.verdict.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Numbers from a seed: splitmix64.
/// Source: Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014, figure 16.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let count = u64::try_from(all.len()).ok().filter(|count| *count > 0)?;
        all.get(usize::try_from(self.next() % count).ok()?)
    }
}
