// SPDX-License-Identifier: Apache-2.0
//! Rounds that chance makes, and how any round is done again by one command.

use snapscan_cloud::sim::{Dice, Plan};

use super::delivery;
use super::rounds::Round;
use super::world::Method;

/// A round by chance: one of those before, with faults, weather, and up to three scanners, of which two may be killed.
pub(super) fn random(seed: u64, rounds: &[Round], pairs: &[Round]) -> Option<Round> {
    let mut chance = Dice::new(seed);
    let from = if pairs.is_empty() || chance.next().is_multiple_of(2) { rounds } else { pairs };
    let round = chance.one_of(from).or_else(|| rounds.first())?.clone();
    let scanners = match chance.next() % 8 {
        0 | 1 => 2,
        2 => 3,
        _ => 1,
    };
    let beside = if scanners > 1 && chance.next().is_multiple_of(2) { chance.one_of(rounds) } else { None };
    let beside = beside.and_then(|other| other.kill.clone());
    let faults = if chance.next().is_multiple_of(4) { Plan::default() } else { Plan::from_seed(seed) };
    let weather = delivery::weather(|| chance.next());
    // The others would lose their memory with the first one's disk, and go on.
    let power = round.power && scanners == 1;
    Some(Round { scanners, beside, faults, weather, power, ..round })
}

/// The command that does a round again.
pub(super) fn command(round: &Round) -> String {
    let mut words = vec!["cargo xtask crash".to_owned()];
    let mut say = |word: &str, value: Option<String>| {
        if let Some(value) = value {
            words.push(format!("--{word} '{value}'"));
        }
    };
    say("at", Some(round.kill.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string)));
    say("again", round.again.as_ref().map(ToString::to_string));
    say("beside", round.beside.as_ref().map(ToString::to_string));
    say("scanners", (round.scanners > 1).then(|| round.scanners.to_string()));
    say("away", (round.away > 0).then(|| round.away.to_string()));
    let calm = Round::calm(round.method, 1);
    say("late", (round.late != calm.late).then(|| round.late.to_string()));
    say("snapshot", (round.snapshot != calm.snapshot).then(|| round.snapshot.to_string()));
    say("faults", (!round.faults.0.is_empty()).then(|| round.faults.to_string()));
    say("weather", (!round.weather.is_empty()).then(|| round.weather.join(",")));
    if round.method == Method::Attach {
        words.push("--attach".to_owned());
    }
    if round.power {
        words.push("--power".to_owned());
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::super::points::Point;
    use super::*;

    #[test]
    fn a_random_round_is_said_as_one_command() {
        let at = |name: &str| Some(Point { name: name.to_owned(), nth: 2 });
        let faults = "CreateSnapshots#1 after Timeout".parse().unwrap();
        let round = Round {
            kill: at("spool.rename"),
            beside: at("step.ack"),
            faults,
            weather: vec!["sync:cut".to_owned()],
            ..Round::calm(Method::Attach, 2)
        };
        assert_eq!(
            command(&round),
            "cargo xtask crash --at 'spool.rename#2' --beside 'step.ack#2' --scanners '2' \
             --faults 'CreateSnapshots#1 after Timeout' --weather 'sync:cut' --attach"
        );
    }

    #[test]
    fn one_seed_makes_one_round() {
        let rounds = [Round::calm(Method::Direct, 1), Round::calm(Method::Attach, 1)];
        for seed in 0..50 {
            let [one, other] = [(); 2].map(|()| random(seed, &rounds, &[]).unwrap());
            assert_eq!(command(&one), command(&other));
        }
    }
}
