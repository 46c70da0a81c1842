// SPDX-License-Identifier: Apache-2.0
//! What of the outbox is kept, and what goes.

use std::time::Duration;

use serde_json::json;
use snapscan_schema::Parcel;

use super::super::Keep;
use super::answer;
use super::standin::SYNC;
use super::world::{World, arn, drive, parcel};
use crate::config::effective::Sink;

const DAY: Duration = Duration::from_secs(86_400);

/// Puts a report of instance `n` there, as of a day.
fn put(world: &World, n: u32, day: &str) -> String {
    let parcel = parcel(n, "job", 1_000);
    let bytes = Parcel::wrap(&parcel.delivery, &parcel.report.to_json().unwrap()).unwrap();
    let name = format!("reports/{day}/job-{n}.json");
    world.put_bytes(&name, bytes);
    name
}

fn keep(sinks: &[&str]) -> Keep {
    Keep { sinks: sinks.iter().map(|sink| (*sink).to_owned()).collect(), time: 30 * DAY }
}

/// Today, by the clock of the test's cloud.
fn today(world: &World) -> String {
    let now = snapscan_schema::Time(world.clock.now().0).rfc3339();
    now.split_once('T').unwrap().0.to_owned()
}

#[tokio::test]
async fn an_old_report_that_every_sink_took_goes_with_its_marks_and_a_young_one_stays() {
    let world = World::new().await;
    put(&world, 1, "2020-01-01");
    let young = put(&world, 2, &today(&world));
    let uploader = world.uploader("scanner-1").keeping(keep(&["csam-acme"]));
    let round = drive(&uploader).await.unwrap();
    assert_eq!((round.delivered, round.expired), (2, 1));
    assert_eq!(world.names("reports/"), [young]);
    assert_eq!((world.names("done/").len(), world.ends()), (1, (1, 0, 0)));
    // It is not delivered again, and the next sweep is a day away.
    put(&world, 3, "2020-01-01");
    let round = drive(&uploader).await.unwrap();
    assert_eq!((round.delivered, round.expired, world.names("reports/").len()), (1, 0, 2));
    // Another process sweeps when it starts.
    let round = drive(&world.uploader("scanner-2").keeping(keep(&["csam-acme"]))).await.unwrap();
    assert_eq!((round.delivered, round.expired, world.names("reports/").len()), (0, 1, 1));
}

#[tokio::test]
async fn an_old_report_stays_until_the_last_sink_has_taken_it() {
    let world = World::new().await;
    let old = put(&world, 1, "2020-01-01");
    let both = ["csam-acme", "dir-archive"];
    let round = drive(&world.uploader("scanner-1").keeping(keep(&both))).await.unwrap();
    assert_eq!((round.delivered, round.expired), (1, 0));
    assert_eq!(world.names("reports/"), [old]);
    let folder = tempfile::tempdir().unwrap();
    let sink = Sink::Dir { name: "archive".to_owned(), folder: folder.path().to_owned() };
    let round = drive(&world.uploader_to(&sink, "scanner-1").keeping(keep(&both))).await.unwrap();
    assert_eq!((round.delivered, round.expired), (1, 1));
    assert_eq!(world.names("reports/"), Vec::<String>::new());
    // The other sink's marks go with its own next sweep.
    assert_eq!(world.names("done/").len(), 1);
    drive(&world.uploader("scanner-2").keeping(keep(&both))).await.unwrap();
    assert_eq!((world.names("done/").len(), world.names("delivered/").len()), (0, 0));
}

#[tokio::test]
async fn an_old_report_that_was_refused_or_could_not_be_sent_stays() {
    let world = World::new().await;
    put(&world, 1, "2020-01-01");
    let errors = json!({"responseCode": "SUCCESSFULLY_PUBLISHED", "assetsError": {arn(1): "no hostName"}});
    world.standin.script(SYNC, [answer(200, &errors.to_string())]);
    let round = drive(&world.uploader("scanner-1").keeping(keep(&["csam-acme"]))).await.unwrap();
    assert_eq!((round.refused, round.expired, world.names("reports/").len()), (1, 0, 1));
    let world = World::new().await;
    put(&world, 1, "2020-01-01");
    world.standin.script(SYNC, [answer(404, "{}")]);
    let round = drive(&world.uploader("scanner-1").keeping(keep(&["csam-acme"]))).await.unwrap();
    assert!(round.stopped.is_some());
    assert_eq!((round.expired, world.names("reports/").len()), (0, 1));
}

#[tokio::test]
async fn without_a_sink_nothing_goes_and_a_name_without_a_day_is_left_alone() {
    let world = World::new().await;
    put(&world, 1, "2020-01-01");
    put(&world, 2, "someday");
    drive(&world.uploader("scanner-1").keeping(keep(&[]))).await.unwrap();
    assert_eq!(world.names("reports/").len(), 2);
    drive(&world.uploader("scanner-2").keeping(keep(&["csam-acme"]))).await.unwrap();
    assert_eq!(world.names("reports/"), ["reports/someday/job-2.json"]);
}

#[tokio::test]
async fn a_sweep_that_died_after_the_report_is_finished_by_the_next() {
    let world = World::new().await;
    let old = put(&world, 1, "2020-01-01");
    drive(&world.uploader("scanner-1")).await.unwrap();
    // As if its process had died between the two deletions.
    world.forget(&old);
    assert_eq!((world.names("done/").len(), world.names("delivered/").len()), (1, 1));
    drive(&world.uploader("scanner-2").keeping(keep(&["csam-acme"]))).await.unwrap();
    assert_eq!((world.names("done/").len(), world.names("delivered/").len()), (0, 0));
}
