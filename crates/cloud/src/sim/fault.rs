// SPDX-License-Identifier: Apache-2.0
//! Which call fails, how, and whether it took effect all the same.

use std::fmt;
use std::str::FromStr;

use super::dice::Dice;
use crate::{Action, Error};

/// Before or after a call took effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// It never reached the cloud.
    Before,
    /// It took effect, and its answer was lost.
    After,
}

/// Which calls of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nth {
    /// This one, counted from 1.
    Only(u64),
    /// This one and all that follow.
    From(u64),
}

impl Nth {
    fn is(self, nth: u64) -> bool {
        match self {
            Self::Only(only) => nth == only,
            Self::From(from) => nth >= from,
        }
    }
}

/// One call that fails. Prints as `CreateSnapshots#1 after Timeout`; `#1+` is the first and all that follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The action.
    pub action: Action,
    /// Which calls of it.
    pub nth: Nth,
    /// Before or after it took effect.
    pub when: When,
    /// The error's code; its class comes from the table.
    pub error: String,
}

/// Calls that fail. Prints as its faults, joined by commas, and is read back from that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan(pub Vec<Fault>);

/// What a fault of a seed strikes: everything that a job does.
const STRUCK: [Action; 22] = [
    Action::DescribeInstances,
    Action::DescribeVolumes,
    Action::DescribeSnapshots,
    Action::CreateSnapshots,
    Action::CreateSnapshot,
    Action::CopySnapshot,
    Action::ShareSnapshot,
    Action::UnshareSnapshot,
    Action::DeleteSnapshot,
    Action::CreateVolume,
    Action::AttachVolume,
    Action::DetachVolume,
    Action::DeleteVolume,
    Action::ListSnapshotBlocks,
    Action::GetSnapshotBlock,
    Action::Receive,
    Action::ExtendLease,
    Action::DeleteMessage,
    Action::Send,
    Action::PutObject,
    Action::GetRow,
    Action::PutRow,
];

impl Plan {
    /// One to four faults, each of a kind that passes.
    pub fn from_seed(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let faults = (0..dice.between(1, 4)).filter_map(|_| {
            let action = *dice.one_of(&STRUCK)?;
            let nth = Nth::Only(dice.between(1, 3));
            let when = if dice.between(0, 1) == 0 { When::Before } else { When::After };
            let error = (*dice.one_of(codes(action, when))?).to_owned();
            Some(Fault { action, nth, when, error })
        });
        Self(faults.collect())
    }

    /// The error that strikes this call, if one does.
    pub(super) fn strikes(&self, action: Action, nth: u64, when: When) -> Option<Error> {
        let struck = |fault: &&Fault| fault.action == action && fault.when == when && fault.nth.is(nth);
        let fault = self.0.iter().find(struck)?;
        Some(Error::of(action.name(), &fault.error, format!("simulated: {fault}")))
    }
}

/// What may befall a call: once it took effect, only that nobody hears of it.
fn codes(action: Action, when: When) -> &'static [&'static str] {
    if when == When::After {
        return &["Timeout", "ConnectionLost"];
    }
    match action.name().split_once(':') {
        Some(("ec2", _)) => &["RequestLimitExceeded", "InternalError", "Unavailable", "Timeout"],
        Some(("ebs", _)) => &["ThrottlingException/ACCOUNT_THROTTLED", "InternalServerException", "Timeout"],
        Some(("sqs", _)) => &["RequestThrottled", "InternalError", "Unreachable", "Timeout"],
        Some(("dynamodb", _)) => &["ProvisionedThroughputExceededException", "InternalError", "Timeout"],
        _ => &["SlowDown", "InternalError", "ConnectionLost"],
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (nth, more) = match self.nth {
            Nth::Only(nth) => (nth, ""),
            Nth::From(nth) => (nth, "+"),
        };
        let when = match self.when {
            When::Before => "before",
            When::After => "after",
        };
        write!(f, "{:?}#{nth}{more} {when} {}", self.action, self.error)
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no fault such as \"CreateSnapshots#1 after Timeout\"");
        let mut words = text.split_whitespace();
        let (Some(call), Some(when), Some(error), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(wrong());
        };
        let (name, nth) = call.split_once('#').ok_or_else(wrong)?;
        let action = Action::ALL.iter().find(|action| format!("{action:?}") == name).ok_or_else(wrong)?;
        let number = |digits: &str| digits.parse::<u64>().map_err(|_| wrong());
        let nth = match nth.strip_suffix('+') {
            Some(digits) => Nth::From(number(digits)?),
            None => Nth::Only(number(nth)?),
        };
        let when = match when {
            "before" => When::Before,
            "after" => When::After,
            _ => return Err(wrong()),
        };
        Ok(Self { action: *action, nth, when, error: error.to_owned() })
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<String> = self.0.iter().map(Fault::to_string).collect();
        f.write_str(&faults.join(", "))
    }
}

impl FromStr for Plan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let faults = text.split(',').map(str::trim).filter(|fault| !fault.is_empty());
        faults.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Class;

    #[test]
    fn a_plan_is_read_back_from_what_it_prints() {
        for seed in 0..1_000 {
            let plan = Plan::from_seed(seed);
            assert!((1..=4).contains(&plan.0.len()));
            assert_eq!(plan.to_string().parse(), Ok(plan));
        }
        let text = "GetSnapshotBlock#3+ before AccessDeniedException/DEPENDENCY_ACCESS_DENIED";
        assert_eq!(text.parse::<Plan>().map(|plan| plan.to_string()).as_deref(), Ok(text));
        assert_eq!("".parse(), Ok(Plan::default()));
    }

    #[test]
    fn what_is_no_plan_is_refused() {
        for text in [
            "CreateSnapshots",
            "CreateSnapshots#x after Timeout",
            "Create#1 after Timeout",
            "CreateSnapshots#1 later Timeout",
            "CreateSnapshots#1 after",
            "CreateSnapshots#1 after A B",
        ] {
            assert!(text.parse::<Plan>().is_err(), "{text}");
        }
    }

    #[test]
    fn plans_of_seeds_strike_every_action_both_ways_with_what_passes() {
        let faults: Vec<Fault> = (0..1_000).flat_map(|seed| Plan::from_seed(seed).0).collect();
        for action in STRUCK {
            for when in [When::Before, When::After] {
                assert!(
                    faults.iter().any(|fault| fault.action == action && fault.when == when),
                    "{action:?}"
                );
            }
        }
        let passes = |code: &str| {
            matches!(crate::error::classify(code), Class::Throttled | Class::Transient | Class::Unknown)
        };
        assert!(faults.iter().all(|fault| passes(&fault.error)));
        let is_after = |fault: &&Fault| fault.when == When::After;
        let unknown = |fault: &Fault| crate::error::classify(&fault.error) == Class::Unknown;
        assert!(faults.iter().filter(is_after).all(unknown));
    }
}
