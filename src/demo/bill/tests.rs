// SPDX-License-Identifier: Apache-2.0
//! The bill by hand from the price list, and the agent's own account held against it to the billionth.

use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use snapscan_cloud::ebs::{GetSnapshotBlock, ListSnapshotBlocks};
use snapscan_cloud::local::{counts, events};
use snapscan_cloud::{Call, Error, Purpose, VolumeId};
use snapscan_schema::{Coverage, Header, Level, Report, SCHEMA_VERSION};

use super::*;
use crate::agent::context::Context;
use crate::agent::inspector::{Inspector, Look};
use crate::agent::stop::Stop;
use crate::agent::tests::{World, message, until_idle};
use crate::agent::work::Opened;
use crate::demo::own::Own;

fn event(seq: u64, at: u64, kind: EventKind, job: &str, id: &str, size_gib: u64) -> Event {
    Event {
        seq,
        at,
        account: "222222222222".to_owned(),
        region: "eu-west-1".to_owned(),
        purpose: "Create".to_owned(),
        job: job.to_owned(),
        action: "ec2:CreateSnapshot".to_owned(),
        kind,
        ids: vec![id.to_owned()],
        code: None,
        size_gib,
    }
}

fn count(job: &str, action: &str, calls: u64) -> Count {
    Count { account: "222222222222".to_owned(), job: job.to_owned(), action: action.to_owned(), calls }
}

#[test]
fn the_bill_of_a_log_is_the_sum_by_hand_and_knows_which_part_the_killed_agent_had() {
    const BLOCK: &str = "ebs:GetSnapshotBlock";
    let made = |seq, at, id, gib| event(seq, at, EventKind::Made, "web", id, gib);
    let gone = |seq, at, id| event(seq, at, EventKind::Gone, "web", id, 0);
    let killed = Log { events: vec![made(1, 1_999, "snap-1", 100)], counts: vec![count("web", BLOCK, 1)] };
    let mut log = killed.clone();
    let delete = |seq, at, id| Event {
        action: "ec2:DeleteVolume".to_owned(),
        kind: EventKind::Answered,
        ..gone(seq, at, id)
    };
    log.events.extend([
        gone(2, 86_401_000, "snap-1"),
        made(3, 90_000_000, "snap-2", 10),
        made(4, 90_000_000, "vol-1", 1_000),
        delete(5, 90_010_500, "vol-1"),
        gone(6, 90_013_500, "vol-1"),
    ]);
    log.counts = vec![
        count("web", BLOCK, 201),
        count("web", "ebs:ListSnapshotBlocks", 10),
        count("web", "imds:Watch", 500),
        count("", "sqs:ReceiveMessage", 7),
        count("(viewer)", "sqs:SendMessage", 1),
    ];
    let bill = Bill::of(&["web"], &killed, &log, &Prices::default(), 90_100_000);
    // A block at $0.000003; 100 GiB at $0.05 for one of 30 days: 5 / 30 dollars.
    let Line { blocks, snapshot_seconds, nanodollars, .. } = bill.killed;
    assert_eq!((blocks, snapshot_seconds, nanodollars), (1, 86_400, 3_000 + 166_666_666));
    // 200 blocks are $0.0006, 10 lists $0.000006; 10 GiB for 100 s are 50 / 2,592,000 dollars; 1,000 GiB of gp3 at $0.08
    // for 10 s, paid as 60, are 4,800 / 2,592,000.
    let finished = &bill.finished;
    assert_eq!((finished.blocks, finished.lists, finished.bytes), (200, 10, 200 * 524_288));
    assert_eq!((finished.snapshot_seconds, finished.volume_seconds), (100, 10));
    assert_eq!(finished.nanodollars, 600_000 + 6_000 + 19_290 + 1_851_851);
    // Polls are asked in no job's name, the host's own metadata is no AWS, and the viewer pays for himself.
    assert_eq!((finished.requests(), bill.sum().requests()), (217, 218));
    assert_eq!(bill.jobs.iter().map(|(job, _)| job.as_str()).collect::<Vec<_>>(), ["web", ""]);
}

/// Asks for some blocks, lets time pass, and notes what the cloud's log says of the job when its report is written.
struct Reads {
    folder: std::path::PathBuf,
    noted: Mutex<BTreeMap<String, Line>>,
}

#[async_trait]
impl Inspector for Reads {
    async fn inspect(&self, context: &Context, look: Look) -> Result<Report, Stop> {
        let asked = |error: Error| Stop::fault("reading", error);
        if let (Opened::Served(disks), Some(place)) = (&look.opened, &look.place) {
            let scope = place.scope(Purpose::Read);
            for disk in disks {
                let snapshot = disk.snapshot.clone();
                let list =
                    ListSnapshotBlocks { snapshot: snapshot.clone(), start: 0, token: None, most: 1000 };
                let page = context.cloud.ask(&scope, list).await.map_err(asked)?;
                for (index, token) in page.blocks {
                    let get = GetSnapshotBlock { snapshot: snapshot.clone(), index, token };
                    context.cloud.ask(&scope, get).await.map_err(asked)?;
                }
            }
        }
        context.cloud.clock.sleep(Duration::from_millis(41_700)).await;
        let (log, now) = (log(&self.folder), context.cloud.clock.milliseconds());
        let bill = Bill::of(&[&look.job], &Log::default(), &log, &context.config.prices, now);
        self.noted.lock().unwrap().extend(bill.jobs);
        let coverage = Coverage::complete(Level::Machine, "machine", "");
        let header = Header::default();
        Ok(Report { schema_version: SCHEMA_VERSION, header, findings: Vec::new(), coverage })
    }

    async fn device(&self, _: &Context, _: &VolumeId) -> Result<File, Stop> {
        File::open("/dev/null").map_err(|error| Stop::fault("opening", error))
    }
}

fn log(folder: &std::path::Path) -> Log {
    Log { events: events(folder).unwrap(), counts: counts(folder).unwrap() }
}

/// Calls that are refused before they come to the cloud.
const REFUSED: u64 = 3;

/// In virtual time an answer takes none, so that the agent knows to the second when something is gone.
#[tokio::test(start_paused = true)]
async fn reports_and_metrics_say_what_the_bill_says_to_the_billionth_before_and_after_the_report() {
    let world = World::new();
    let inspector = Arc::new(Reads { folder: world.path(), noted: Mutex::default() });
    // The first deletions of volumes are refused: those go after their job has ended.
    let deletions = AtomicU64::new(0);
    let fault = Box::new(move |call: &Call| {
        let strikes =
            matches!(call, Call::DeleteVolume(_)) && deletions.fetch_add(1, Ordering::Relaxed) < REFUSED;
        strikes.then(|| Error::of("ec2:DeleteVolume", "UnauthorizedOperation", "not now"))
    });
    let context = world.agent_with(world.config(), inspector.clone(), fault).await;
    for (job, method) in [("direct", "direct"), ("attach", "attach")] {
        let wanted = format!("\"profile\":\"os\",\"method\":\"{method}\"");
        world.send(&context, &message(job).replace("\"profile\":\"os\"", &wanted)).await;
        until_idle(&context).await;
        // AWS takes no two snapshots of a volume within 15 s.
        context.cloud.clock.sleep(Duration::from_secs(15)).await;
    }
    let (mut log, now) = (log(&world.path()), context.cloud.clock.milliseconds());
    // The messages are the test's own.
    log.counts.retain(|count| count.action != "sqs:SendMessage");
    let bill = Bill::of(&["direct", "attach"], &Log::default(), &log, &context.config.prices, now).finished;
    let mut own = Own::of(&context.metrics.text());

    // What the fault refused never came to the cloud.
    *own.calls.get_mut("ec2:DeleteVolume").expect("volumes were deleted") -= REFUSED;
    assert_eq!(own.against(&bill), Vec::<String>::new());
    assert_eq!(own.snapshot_seconds, bill.snapshot_seconds);
    assert_eq!(own.volume_seconds, bill.volume_seconds);
    assert!(own.blocks > 0 && own.volume_seconds > 0, "{own:?}");
    let nanodollars = (own.dollars * 1e9).round();
    assert_eq!(nanodollars, bill.nanodollars as f64, "{own:?} {bill:?}");

    let reports = world.reports(&context).await;
    assert_eq!(reports.len(), 2);
    for parcel in reports {
        let cost = parcel.report.header.run.cost.expect("a report says what its job had cost");
        let noted = inspector.noted.lock().unwrap()[&parcel.delivery.job].clone();
        assert_eq!(cost.calls, noted.calls);
        assert_eq!((cost.get_blocks, cost.list_pages, cost.bytes), (noted.blocks, noted.lists, noted.bytes));
        assert_eq!(cost.snapshot_seconds, noted.snapshot_seconds);
        assert_eq!(cost.volume_seconds, noted.volume_seconds);
        assert_eq!(u128::from(cost.microdollars), noted.nanodollars.div_ceil(1000));
        assert!(cost.snapshot_seconds >= 41, "{cost:?}");
    }
}
