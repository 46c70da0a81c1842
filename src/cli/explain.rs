// SPDX-License-Identifier: Apache-2.0
//! `snapscan explain`: what a reason code means.

use clap::Args;
use snapscan_schema::{Reason, Status, Weight};

use crate::error::Failure;
use crate::exit::Exit;

/// Options of `explain`.
#[derive(Args)]
pub(crate) struct ExplainArgs {
    /// The code, such as IMAGE_TRUNCATED; without one all codes are listed
    code: Option<String>,
}

impl ExplainArgs {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let Some(code) = self.code else {
            let list = Reason::ALL.iter().map(|reason| reason.explain());
            print(&list.map(|row| format!("{:<24} {}\n", row.code, row.text)).collect::<String>());
            return Ok(Exit::Complete);
        };
        let Some(reason) = Reason::find(&code) else {
            let near = Reason::ALL.iter().map(|reason| reason.code());
            let near =
                near.max_by_key(|known| likeness(known, &code.to_ascii_uppercase())).unwrap_or_default();
            return Err(Failure::usage(
                format!("there is no reason code `{code}`"),
                format!("did you mean {near}? `snapscan explain` lists them all"),
            ));
        };
        print(&text(reason));
        Ok(Exit::Complete)
    }
}

/// The long form of one code.
fn text(reason: Reason) -> String {
    let row = reason.explain();
    let status = match row.status {
        None => "a note; the status stays what it is",
        Some(Status::Complete) => "complete",
        Some(Status::Partial) => "partial",
        Some(Status::Failed) => "failed",
        Some(Status::Skipped) => "skipped",
    };
    let weight = match row.weight {
        Weight::Matters => "counts for the exit code",
        Weight::Neutral => "does not count for the exit code",
    };
    format!(
        "{}: {}\n\n{}\n\nStatus: {status}, {weight}\nWhat to do: {}\n",
        row.code, row.text, row.meaning, row.remedy
    )
}

/// How many pairs of letters two words share: enough to guess a misspelt code.
fn likeness(one: &str, other: &str) -> usize {
    let pairs = |word: &str| word.as_bytes().windows(2).map(<[u8]>::to_vec).collect::<Vec<_>>();
    let others = pairs(other);
    pairs(one).iter().filter(|pair| others.contains(pair)).count()
}

fn print(text: &str) {
    use std::io::Write;
    // Nobody reading on is no error.
    let _closed = std::io::stdout().write_all(text.as_bytes());
}
