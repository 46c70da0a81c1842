// SPDX-License-Identifier: Apache-2.0
//! `snapscan ledger`: what the agent made, and what of it is left.

use clap::Args;
use snapscan_schema::Time;

use crate::agent::ledger::{Error, Intent, Ledger, Opening, Tally};
use crate::config::{Config, Flags};
use crate::error::Failure;
use crate::exit::Exit;

/// Options of `ledger`.
#[derive(Args)]
pub(crate) struct LedgerArgs {
    /// List what is closed too
    #[arg(long)]
    all: bool,
    /// Write one JSON document instead of a table
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    flags: Flags,
}

impl LedgerArgs {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let (config, _) = Config::load(&self.flags)?;
        let read = async {
            let ledger = Ledger::open(&config.state, Opening::Beside)?;
            Ok::<_, Error>((ledger.intents(self.all).await?, ledger.tally().await?))
        };
        let (rows, tally) = super::wait(read)??;
        super::print(&if self.json { document(&rows, &tally) } else { table(&rows, &tally) });
        Ok(Exit::Complete)
    }
}

/// One row a thing, or one for an intent of which nothing is known; then the sums.
fn table(rows: &[Intent], tally: &Tally) -> String {
    let mut text = String::new();
    if !rows.is_empty() {
        text.push_str(&line(["KIND", "ID", "STATE", "JOB", "ACCOUNT", "REGION", "SINCE"]));
    }
    for row in rows {
        let since = Time(row.planned.0).rfc3339();
        let show = |id: &str, state: &str| {
            let (account, region) = (row.account.as_str(), row.region.as_str());
            line([row.kind.name(), id, state, &row.job, account, region, &since])
        };
        for made in &row.made {
            text.push_str(&show(&made.id, if made.gone.is_some() { "released" } else { row.word() }));
        }
        if row.made.is_empty() {
            text.push_str(&show("-", row.word()));
        }
        if row.is_loud() {
            text.push_str(&format!("    {}\n", row.why));
        }
    }
    text.push_str(&sums(tally));
    text
}

/// The last line: what was made and what became of it.
pub(super) fn sums(tally: &Tally) -> String {
    let mut text = format!("made {}, released {}, held {}", tally.made, tally.released, tally.held);
    if tally.unresolved > 0 {
        text.push_str(&format!(", unresolved {}", tally.unresolved));
    }
    if tally.loud > 0 {
        text.push_str(&format!(", to look at {}", tally.loud));
    }
    text.push('\n');
    text
}

fn line(fields: [&str; 7]) -> String {
    let [kind, id, state, job, account, region, since] = fields;
    format!("{kind:<12} {id:<22} {state:<17} {job:<20} {account:<12} {region:<14} {since}\n")
}

fn document(rows: &[Intent], tally: &Tally) -> String {
    let row = |row: &Intent| {
        let made = row.made.iter().map(
            |made| serde_json::json!({ "id": made.id, "released": made.gone.map(|at| Time(at.0).rfc3339()) }),
        );
        serde_json::json!({
            "intent": row.id, "kind": row.kind.name(), "state": row.word(), "account": row.account,
            "region": row.region, "job": row.job, "sources": row.sources, "expected": row.expected,
            "planned": Time(row.planned.0).rfc3339(), "deadline": Time(row.deadline.0).rfc3339(),
            "epoch": row.epoch, "lookups": row.lookups, "why": row.why, "loud": row.is_loud(),
            "made": made.collect::<Vec<_>>(),
        })
    };
    let rows: Vec<_> = rows.iter().map(row).collect();
    format!("{:#}\n", serde_json::json!({ "rows": rows, "sums": tally }))
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let help = match &error {
            Error::Missing(_) => "name the agent's state folder with --set state=DIR",
            Error::Open { .. } => "check the folder and who may write there",
            Error::TooNew { .. } => "the ledger is not converted back",
            _ => "check the space on the disk of the state folder; the ledger is a SQLite database",
        };
        Failure::new(error.to_string(), help)
    }
}
