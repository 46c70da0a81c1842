// SPDX-License-Identifier: Apache-2.0
//! How far each job is, as the cloud's log tells it: a picture that is drawn anew on a terminal, lines elsewhere.

use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::time::Instant;

use snapscan_cloud::local::{Count, Event, EventKind};

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Its message is on the queue, or its target is looked at.
    Waiting,
    /// So many snapshots of it are there, and nothing of them was read.
    Snapshots(usize),
    /// So many blocks were read.
    Reading(u64),
    /// What it had made is gone again, and nothing of it was handed over yet.
    Undone,
    /// Its report, or the record that there is none, lies where it outlives the scanner.
    HandedOver,
    /// Its message is gone, after a report.
    Done,
    /// Its message is gone, after a record that there is no report.
    Recorded,
}

impl Phase {
    /// How far the job is after these events.
    pub(super) fn of(job: &str, events: &[Event], counts: &[Count]) -> Self {
        let mut there: BTreeSet<&str> = BTreeSet::new();
        let (mut made, mut report, mut record, mut settled) = (false, false, false, false);
        for event in events.iter().filter(|event| event.job == job) {
            let snapshots = event.ids.iter().map(String::as_str).filter(|id| id.starts_with("snap-"));
            match event.kind {
                EventKind::Made => there.extend(snapshots),
                EventKind::Gone => there.retain(|there| snapshots.clone().all(|gone| gone != *there)),
                _ => {}
            }
            made |= !there.is_empty();
            let took_effect = event.kind != EventKind::Refused;
            let put = took_effect && event.action == "s3:PutObject";
            report |= put && event.ids.iter().any(|key| key.starts_with("reports/"));
            record |= put && event.ids.iter().any(|key| key.starts_with("outcomes/"));
            settled |= took_effect && event.action == "sqs:DeleteMessage";
        }
        let read = counts.iter().filter(|it| it.job == job && it.action == "ebs:GetSnapshotBlock");
        match (settled, there.len(), read.map(|count| count.calls).sum()) {
            (true, ..) if report => Phase::Done,
            (true, ..) if record => Phase::Recorded,
            _ if report || record => Phase::HandedOver,
            (_, 0, _) if made => Phase::Undone,
            (_, 0, _) => Phase::Waiting,
            (_, snapshots, 0) => Phase::Snapshots(snapshots),
            (_, _, blocks) => Phase::Reading(blocks),
        }
    }

    /// True if both are the same but for a number that grows.
    fn is_like(self, other: Self) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }

    fn words(self) -> String {
        match self {
            Phase::Waiting => "waits".to_owned(),
            Phase::Snapshots(1) => "1 snapshot is made".to_owned(),
            Phase::Snapshots(many) => format!("{many} snapshots are made, one moment for all"),
            Phase::Reading(blocks) => format!("is read block by block: {blocks}"),
            Phase::Undone => "its snapshots are gone again".to_owned(),
            Phase::HandedOver => "handed over".to_owned(),
            Phase::Done => "done: report delivered, snapshots gone".to_owned(),
            Phase::Recorded => "done: left alone, the reason is recorded".to_owned(),
        }
    }
}

/// The picture on standard error.
pub(super) struct View {
    jobs: Vec<(&'static str, Phase)>,
    begun: Instant,
    is_terminal: bool,
    /// Lines that the next drawing goes over.
    drawn: usize,
}

impl View {
    /// All jobs wait.
    pub(super) fn new(jobs: impl Iterator<Item = &'static str>) -> Self {
        let jobs: Vec<_> = jobs.map(|job| (job, Phase::Waiting)).collect();
        Self { jobs, begun: Instant::now(), is_terminal: std::io::stderr().is_terminal(), drawn: 0 }
    }

    /// Shows how far the jobs are now.
    pub(super) fn update(&mut self, events: &[Event], counts: &[Count]) {
        let seconds = self.begun.elapsed().as_secs_f64();
        let mut text = String::new();
        if self.is_terminal && self.drawn > 0 {
            text.push_str(&format!("\x1b[{}A", self.drawn));
        }
        for (job, shown) in &mut self.jobs {
            let now = Phase::of(job, events, counts);
            if self.is_terminal {
                text.push_str(&format!("\x1b[K  {job:<10} {}\n", now.words()));
            } else if !now.is_like(*shown) {
                text.push_str(&format!("  {seconds:5.1} s  {job:<10} {}\n", now.words()));
            }
            *shown = now;
        }
        self.drawn = if self.is_terminal { self.jobs.len() } else { 0 };
        tell(&text);
    }

    /// Leaves the picture as it is; what comes next stands beneath it.
    pub(super) fn leave(&mut self) {
        self.drawn = 0;
    }
}

/// Writes to standard error. A terminal that went away shows nothing more; the demo goes on.
fn tell(text: &str) {
    let _gone = std::io::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(action: &str, kind: EventKind, id: &str) -> Event {
        Event {
            seq: 0,
            at: 0,
            account: String::new(),
            region: String::new(),
            purpose: "Create".to_owned(),
            job: "web".to_owned(),
            action: action.to_owned(),
            kind,
            ids: vec![id.to_owned()],
            code: None,
            size_gib: 1,
        }
    }

    #[test]
    fn a_job_is_as_far_as_its_events_say_and_no_further() {
        let mut events = Vec::new();
        let mut next = |action, kind, id| {
            events.push(event(action, kind, id));
            Phase::of("web", &events, &[])
        };
        assert_eq!(next("ec2:CreateSnapshots", EventKind::Refused, "snap-1"), Phase::Waiting);
        assert_eq!(next("ec2:CreateSnapshots", EventKind::Made, "snap-1"), Phase::Snapshots(1));
        assert_eq!(next("ec2:DeleteSnapshot", EventKind::Gone, "snap-1"), Phase::Undone);
        assert_eq!(next("ec2:CreateSnapshots", EventKind::Made, "snap-2"), Phase::Snapshots(1));
        assert_eq!(next("s3:PutObject", EventKind::Refused, "reports/x"), Phase::Snapshots(1));
        assert_eq!(next("s3:PutObject", EventKind::Made, "reports/x"), Phase::HandedOver);
        assert_eq!(next("sqs:DeleteMessage", EventKind::Gone, "1"), Phase::Done);
        assert_eq!(Phase::of("db", &events, &[]), Phase::Waiting);
    }
}
