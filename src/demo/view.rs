// SPDX-License-Identifier: Apache-2.0
//! How far each job is, as the cloud's log tells it: a picture that is drawn anew on a terminal, lines elsewhere.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::Instant;

use snapscan_cloud::local::{Count, Event, EventKind};

use super::ink::{Ink, Tone};

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Its message is on the queue, or its target is looked at.
    Waiting,
    /// So many snapshots of it are there, and nothing of them was read.
    Snapshots(usize),
    /// So many snapshots of it are there, and whoever made them is dead.
    Left(usize),
    /// So many blocks were read.
    Reading(u64),
    /// What a killed agent had left behind is gone again, and nothing was read.
    Undone,
    /// It was read, and its snapshots are gone.
    Released,
    /// Its report, or the record that there is none, lies where it outlives the scanner.
    HandedOver,
    /// Its message is gone, after a report; so many snapshots are still there.
    Done(usize),
    /// Its message is gone, after a record that there is no report.
    Recorded,
}

/// Steps of the bar.
const STEPS: usize = 5;

impl Phase {
    /// How far the job is after these events; those up to the number `killed` are of an agent that is dead.
    fn of(job: &str, events: &[Event], counts: &[Count], killed: u64) -> Self {
        let mut there: BTreeMap<&str, u64> = BTreeMap::new();
        let (mut made, mut report, mut record, mut settled) = (false, false, false, false);
        for event in events.iter().filter(|event| event.job == job) {
            let snapshots = event.ids.iter().map(String::as_str).filter(|id| id.starts_with("snap-"));
            match event.kind {
                EventKind::Made => there.extend(snapshots.map(|id| (id, event.seq))),
                EventKind::Gone => there.retain(|there, _| snapshots.clone().all(|gone| gone != *there)),
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
        let read: u64 = read.map(|count| count.calls).sum();
        match (settled, there.len()) {
            (true, snapshots) if report => Phase::Done(snapshots),
            (true, _) if record => Phase::Recorded,
            _ if report || record => Phase::HandedOver,
            (_, 0) if made && read > 0 => Phase::Released,
            (_, 0) if made => Phase::Undone,
            (_, 0) => Phase::Waiting,
            (_, snapshots) if there.values().all(|made| *made <= killed) => Phase::Left(snapshots),
            (_, snapshots) if read == 0 => Phase::Snapshots(snapshots),
            _ => Phase::Reading(read),
        }
    }

    /// True if both are the same but for a number that grows.
    fn is_like(self, other: Self) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }

    fn words(self) -> String {
        match self {
            Phase::Waiting => "waits on the queue".to_owned(),
            Phase::Snapshots(1) => "1 snapshot is made".to_owned(),
            Phase::Snapshots(many) => format!("{many} snapshots are made, of one moment"),
            Phase::Left(1) => "1 snapshot is left behind".to_owned(),
            Phase::Left(many) => format!("{many} snapshots are left behind"),
            Phase::Reading(1) => "is read: 1 block of 512 KiB".to_owned(),
            Phase::Reading(blocks) => format!("is read: {blocks} blocks of 512 KiB"),
            Phase::Undone => "what was left behind is deleted; waits on the queue".to_owned(),
            Phase::Released => "is read, its snapshots are deleted".to_owned(),
            Phase::HandedOver => "its report is handed over".to_owned(),
            Phase::Done(0) => "done: report handed over, snapshots deleted".to_owned(),
            Phase::Done(left) => format!("done: report handed over, {left} snapshots still there"),
            Phase::Recorded => "done: left alone, and the reason recorded".to_owned(),
        }
    }

    /// How many steps of the bar are behind it, and its colour.
    fn step(self) -> (usize, Tone) {
        match self {
            Phase::Waiting => (0, Tone::Dim),
            Phase::Undone => (0, Tone::Yellow),
            Phase::Left(_) => (0, Tone::Red),
            Phase::Snapshots(_) => (1, Tone::Blue),
            Phase::Reading(_) => (2, Tone::Blue),
            Phase::Released => (3, Tone::Blue),
            Phase::HandedOver => (4, Tone::Blue),
            Phase::Done(0) | Phase::Recorded => (STEPS, Tone::Green),
            Phase::Done(_) => (STEPS, Tone::Yellow),
        }
    }

    /// The step in signs, always as wide.
    fn bar(self, ink: Ink) -> String {
        let (full, empty) = if ink.is_unicode { ("■", "□") } else { ("#", ".") };
        let (done, tone) = self.step();
        ink.paint(tone, &format!("{}{}", full.repeat(done), empty.repeat(STEPS - done)))
    }
}

/// The picture on standard error.
pub(super) struct View {
    jobs: Vec<(&'static str, Phase)>,
    begun: Instant,
    ink: Ink,
    /// The number of the last event when an agent was killed.
    killed: u64,
    /// The lines that the next drawing goes over; none if it begins beneath what is there.
    drawn: Vec<String>,
}

impl View {
    /// All jobs wait.
    pub(super) fn new(jobs: impl Iterator<Item = &'static str>) -> Self {
        let jobs: Vec<_> = jobs.map(|job| (job, Phase::Waiting)).collect();
        Self { jobs, begun: Instant::now(), ink: Ink::of(&io::stderr()), killed: 0, drawn: Vec::new() }
    }

    /// Shows how far the jobs are now.
    pub(super) fn update(&mut self, events: &[Event], counts: &[Count]) {
        let seconds = self.begun.elapsed().as_secs_f64();
        let mut lines = Vec::new();
        for (job, shown) in &mut self.jobs {
            let now = Phase::of(job, events, counts, self.killed);
            if self.ink.is_live {
                lines.push(format!("  {job:<10} {}  {}", now.bar(self.ink), now.words()));
            } else if !now.is_like(*shown) {
                lines.push(format!("  {seconds:5.1} s  {job:<10} {}", now.words()));
            }
            *shown = now;
        }
        if self.ink.is_live {
            tell(&redrawn(&self.drawn, &lines));
            self.drawn = lines;
        } else {
            tell(&lines.into_iter().map(|line| line + "\n").collect::<String>());
        }
    }

    /// Leaves the picture as it is: the agent is dead, and all until here is of it. What comes next stands beneath.
    pub(super) fn leave(&mut self, events: &[Event]) {
        self.drawn.clear();
        self.killed = events.last().map_or(0, |event| event.seq);
    }
}

/// What makes one picture of another: only lines that differ are written, in one piece, so that nothing flickers. A line
/// is not wrapped on a narrow terminal, which would put all that follows in the wrong place.
/// Source: console_codes(4): CUU, EL; DECAWM.
fn redrawn(old: &[String], new: &[String]) -> String {
    if old == new {
        return String::new();
    }
    let mut text = "\x1b[?7l".to_owned();
    if !old.is_empty() {
        // Writing to a string cannot fail.
        let _ok = write!(text, "\x1b[{}A", old.len());
    }
    for (place, line) in new.iter().enumerate() {
        if old.get(place) != Some(line) {
            let _ok = write!(text, "\r{line}\x1b[K");
        }
        text.push_str("\r\n");
    }
    text + "\x1b[?7h"
}

/// Writes to standard error. A terminal that went away shows nothing more; the demo goes on.
fn tell(text: &str) {
    let _gone = io::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(action: &str, kind: EventKind, id: &str) -> Event {
        Event {
            seq: 1,
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
            Phase::of("web", &events, &[], 0)
        };
        assert_eq!(next("ec2:CreateSnapshots", EventKind::Refused, "snap-1"), Phase::Waiting);
        assert_eq!(next("ec2:CreateSnapshots", EventKind::Made, "snap-1"), Phase::Snapshots(1));
        assert_eq!(next("ec2:DeleteSnapshot", EventKind::Gone, "snap-1"), Phase::Undone);
        assert_eq!(next("ec2:CreateSnapshots", EventKind::Made, "snap-2"), Phase::Snapshots(1));
        assert_eq!(next("s3:PutObject", EventKind::Refused, "reports/x"), Phase::Snapshots(1));
        assert_eq!(next("s3:PutObject", EventKind::Made, "reports/x"), Phase::HandedOver);
        assert_eq!(next("sqs:DeleteMessage", EventKind::Gone, "1"), Phase::Done(1));
        assert_eq!(next("ec2:DeleteSnapshot", EventKind::Gone, "snap-2"), Phase::Done(0));
        assert_eq!(Phase::of("db", &events, &[], 0), Phase::Waiting);
    }

    #[test]
    fn a_job_whose_snapshots_go_was_read_or_undone_by_whether_blocks_were_asked_for() {
        let made = event("ec2:CreateSnapshots", EventKind::Made, "snap-1");
        let gone = event("ec2:DeleteSnapshot", EventKind::Gone, "snap-1");
        let count = |calls| {
            let (job, action) = ("web".to_owned(), "ebs:GetSnapshotBlock".to_owned());
            vec![Count { account: String::new(), job, action, calls }]
        };
        assert_eq!(Phase::of("web", std::slice::from_ref(&made), &count(3), 0), Phase::Reading(3));
        assert_eq!(Phase::of("web", std::slice::from_ref(&made), &count(3), 1), Phase::Left(1));
        assert_eq!(Phase::of("web", &[made.clone(), gone.clone()], &count(3), 0), Phase::Released);
        assert_eq!(Phase::of("web", &[made, gone], &[], 0), Phase::Undone);
    }

    #[test]
    fn a_picture_is_drawn_over_where_it_changed_and_nothing_is_written_where_it_did_not() {
        let lines = |texts: [&str; 2]| texts.map(str::to_owned).to_vec();
        let (one, other) = (lines(["web  waits", "db   waits"]), lines(["web  waits", "db   done"]));
        assert_eq!(redrawn(&[], &one), "\x1b[?7l\rweb  waits\x1b[K\r\n\rdb   waits\x1b[K\r\n\x1b[?7h");
        assert_eq!(redrawn(&one, &other), "\x1b[?7l\x1b[2A\r\n\rdb   done\x1b[K\r\n\x1b[?7h");
        assert_eq!(redrawn(&one, &one), "");
    }

    #[test]
    fn every_bar_is_as_wide_as_every_other_and_in_ascii_where_there_is_no_more() {
        let phases = [Phase::Waiting, Phase::Snapshots(2), Phase::Reading(9), Phase::Undone, Phase::Done(0)];
        let ink = Ink { is_live: true, is_coloured: false, is_unicode: false };
        let bars = phases.map(|phase| phase.bar(ink));
        assert_eq!(bars, [".....", "#....", "##...", ".....", "#####"]);
        let ink = Ink { is_unicode: true, ..ink };
        assert!(phases.iter().all(|phase| phase.bar(ink).chars().count() == STEPS));
    }
}
