// SPDX-License-Identifier: Apache-2.0
//! What the ledger says is held, and since when.

use std::time::Duration;

use snapscan_cloud::Timestamp;

use super::{Check, State};
use crate::agent::ledger::{Error, Intent, Ledger, Opening, Tally};
use crate::config::Config;

/// Older than this nothing of a job that goes well is: the longest that a message may be leased, twice.
const OLD: Duration = Duration::from_secs(86_400);

/// What is held, by the ledger beside which this runs; `now` by the cloud's clock.
pub(super) async fn check(config: &Config, now: Timestamp) -> Check {
    let read = async {
        let ledger = Ledger::open(&config.state, Opening::Beside)?;
        Ok::<_, Error>((ledger.intents(false).await?, ledger.tally().await?))
    };
    match read.await {
        Ok((rows, tally)) => told(&rows, &tally, now),
        Err(Error::Missing(_)) => {
            Check::new("ledger", "held", State::Note, "no ledger yet, the agent makes it at its first start")
        }
        Err(error) => Check::new("ledger", "held", State::Bad, error.to_string()),
    }
}

/// In words: the sums, the oldest, and what a person must look at.
fn told(rows: &[Intent], tally: &Tally, now: Timestamp) -> Check {
    let sums = format!("made {}, released {}, held {}", tally.made, tally.released, tally.held);
    let open = rows.iter().filter(|row| row.held().next().is_some() || !row.state.is_final());
    let Some(oldest) = open.min_by_key(|row| row.planned) else {
        return Check::new("ledger", "held", State::Good, sums);
    };
    let age = now.since(oldest.planned);
    let id = oldest.held().next().map_or_else(|| format!("intent {}", oldest.id), |made| made.id.clone());
    let mut detail = format!(
        "{sums}; the oldest since {}: {} {id} of job {} in account {}, {}",
        words(age),
        oldest.kind.name(),
        oldest.job,
        oldest.account,
        oldest.word()
    );
    let is_bad = tally.loud > 0 || age >= OLD;
    if tally.loud > 0 {
        detail.push_str(&format!("; {} cannot be released, `snapscan ledger` says why", tally.loud));
    } else if is_bad {
        detail.push_str("; if no agent works here, `snapscan reap` takes it away");
    }
    Check::new("ledger", "held", if is_bad { State::Bad } else { State::Note }, detail)
}

/// A time in its two largest units.
fn words(age: Duration) -> String {
    let seconds = age.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}
