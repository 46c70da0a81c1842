// SPDX-License-Identifier: Apache-2.0
//! Whether the agent kept its promise, by what was observed and nothing else.

use super::account::Account;
use crate::error::Failure;

/// What a job of the demo should end with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// A report.
    Report,
    /// A record that there is none.
    Record,
    /// One of the two: nobody knows what lies on the viewer's disk.
    Either,
}

/// What was handed over for a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ended {
    /// The job.
    pub(super) job: String,
    /// What was expected; nothing of a job that nobody has submitted.
    pub(super) expected: Option<Expected>,
    /// Reports of it.
    pub(super) reports: usize,
    /// Records of it.
    pub(super) records: usize,
}

/// What was observed when the last agent had ended.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// What came of each job.
    pub(super) jobs: Vec<Ended>,
    /// Messages that are still on the queue.
    pub(super) queued: u64,
    /// Messages that nobody could use.
    pub(super) dead: u64,
    /// Things of others that look like ours.
    pub(super) decoys: usize,
    /// What happened to which of them.
    pub(super) harmed: Vec<String>,
    /// What was made, and what of it is left.
    pub(super) account: Account,
    /// Why the agent did not come to its end, if it did not.
    pub(super) agent: Option<Failure>,
}

impl Ended {
    fn is_lost(&self) -> bool {
        self.expected.is_some() && self.reports + self.records == 0
    }

    /// What is wrong with it.
    fn wrong(&self) -> Option<String> {
        let job = &self.job;
        match (self.expected, self.reports, self.records) {
            (None, ..) => Some(format!("{job}: handed over, and nobody had asked for it")),
            (Some(_), 0, 0) => Some(format!("{job}: neither a report nor a record of why there is none")),
            (Some(Expected::Report), 0, _) => Some(format!("{job}: a record in place of its report")),
            (Some(Expected::Record), 1.., _) => {
                Some(format!("{job}: a report of a machine that was to be left alone"))
            }
            (Some(_), 2.., _) => Some(format!("{job}: {} reports", self.reports)),
            _ => None,
        }
    }
}

impl Seen {
    /// The account, for a person; its last line stands by itself.
    pub(super) fn account(&self) -> String {
        let jobs = self.jobs.iter().filter(|ended| ended.expected.is_some()).count();
        let lost = self.jobs.iter().filter(|ended| ended.is_lost()).count();
        format!(
            "  jobs {jobs}, lost {lost}, on the queue {}\n  decoys {}, harmed {}\n",
            self.queued + self.dead,
            self.decoys,
            self.harmed.len()
        )
    }

    /// Nothing, if all is as it was promised.
    pub(super) fn verdict(self) -> Option<Failure> {
        let mut wrong: Vec<String> =
            self.account.held.iter().map(|id| format!("{id}: made, and still there")).collect();
        wrong.extend(self.jobs.iter().filter_map(Ended::wrong));
        wrong.extend(self.harmed);
        if self.queued > 0 {
            wrong.push(format!("the queue: {} messages are not settled", self.queued));
        }
        if self.dead > 0 {
            wrong.push(format!("the dead-letter queue: {} messages that nobody could use", self.dead));
        }
        match self.agent {
            Some(mut failure) => {
                failure.details.extend(wrong);
                Some(failure)
            }
            None if wrong.is_empty() => None,
            None => {
                let what = "the demo's agent did not keep its promise";
                let failure = Failure::new(what, "please report this; --keep DIR leaves the evidence");
                Some(Failure { details: wrong, ..failure })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    fn ended(job: &str, expected: Expected, reports: usize, records: usize) -> Ended {
        Ended { job: job.to_owned(), expected: Some(expected), reports, records }
    }

    /// As it should be.
    fn kept() -> Seen {
        Seen {
            jobs: vec![
                ended("web", Expected::Report, 1, 0),
                ended("hands-off", Expected::Record, 0, 1),
                ended("yours", Expected::Either, 0, 1),
            ],
            decoys: 4,
            account: Account { made: 3, released: 3, held: Vec::new() },
            ..Seen::default()
        }
    }

    /// The account as it is shown, and the lines of the failure, which always ends the program with 1.
    fn judged(seen: Seen) -> (String, Vec<String>) {
        let account = seen.account() + &seen.account.line();
        let failure = seen.verdict().expect("it is no success");
        assert_eq!(failure.exit, Exit::Failed);
        (account, failure.details)
    }

    #[test]
    fn a_promise_that_was_kept_is_no_failure() {
        let seen = kept();
        let account = "  jobs 3, lost 0, on the queue 0\n  decoys 4, harmed 0\nmade 3, released 3, held 0";
        assert_eq!(seen.account() + &seen.account.line(), account);
        assert!(seen.verdict().is_none());
    }

    #[test]
    fn something_that_is_held_at_the_end_fails_and_is_named() {
        let account = Account { made: 3, released: 2, held: vec!["snap-1".to_owned()] };
        let (shown, wrong) = judged(Seen { account, ..kept() });
        assert!(shown.ends_with("made 3, released 2, held 1"), "{shown}");
        assert_eq!(wrong, ["snap-1: made, and still there"]);
    }

    #[test]
    fn a_decoy_that_changed_fails_and_is_named() {
        let harmed = vec!["snap-0dec: another digest than before".to_owned()];
        let (shown, wrong) = judged(Seen { harmed: harmed.clone(), ..kept() });
        assert!(shown.contains("decoys 4, harmed 1\n"), "{shown}");
        assert_eq!(wrong, harmed);
    }

    #[test]
    fn a_job_without_a_report_is_lost_and_a_record_does_not_take_a_reports_place() {
        let lost = |jobs| judged(Seen { jobs, ..kept() });
        let (shown, wrong) =
            lost(vec![ended("web", Expected::Report, 0, 0), ended("yours", Expected::Either, 0, 0)]);
        assert!(shown.contains("jobs 2, lost 2,"), "{shown}");
        let none = "neither a report nor a record of why there is none";
        assert_eq!(wrong, [format!("web: {none}"), format!("yours: {none}")]);
        let (shown, wrong) = lost(vec![ended("web", Expected::Report, 0, 1)]);
        assert!(shown.contains("jobs 1, lost 0,"), "{shown}");
        assert_eq!(wrong, ["web: a record in place of its report"]);
    }

    #[test]
    fn a_report_that_nobody_asked_for_fails() {
        let unexpected = |job| judged(Seen { jobs: vec![job], ..kept() }).1;
        assert_eq!(
            unexpected(ended("hands-off", Expected::Record, 1, 1)),
            ["hands-off: a report of a machine that was to be left alone"]
        );
        assert_eq!(unexpected(ended("web", Expected::Report, 2, 0)), ["web: 2 reports"]);
        let stranger = Ended { expected: None, ..ended("other", Expected::Either, 1, 0) };
        assert_eq!(unexpected(stranger), ["other: handed over, and nobody had asked for it"]);
    }

    #[test]
    fn messages_that_are_left_fail() {
        let (shown, wrong) = judged(Seen { queued: 2, dead: 1, ..kept() });
        assert!(shown.contains("on the queue 3\n"), "{shown}");
        assert_eq!(
            wrong,
            [
                "the queue: 2 messages are not settled",
                "the dead-letter queue: 1 messages that nobody could use"
            ]
        );
    }

    #[test]
    fn an_agent_that_does_not_come_to_its_end_fails_with_its_log_and_what_it_left() {
        let failure = Failure::new("the demo's agent ended by itself: exit status: 2", "");
        let agent = Some(Failure { details: vec!["error: unknown key".to_owned()], ..failure });
        let account = Account { made: 1, released: 0, held: vec!["snap-1".to_owned()] };
        let seen = Seen { agent, account, ..kept() };
        let (_, wrong) = judged(seen);
        assert_eq!(wrong, ["error: unknown key", "snap-1: made, and still there"]);
    }
}
