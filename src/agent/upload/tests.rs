// SPDX-License-Identifier: Apache-2.0
//! Every answer that Qualys can give, given by a stand-in; and what happens between answers.

mod crash;
mod folder;
mod keep;
mod login;
#[path = "../../../tests/standin/mod.rs"]
mod standin;
mod world;

use std::time::Duration;

use serde_json::{Value, json};

use super::Error;
use crate::config::effective::Sink;
use standin::{Reply, SYNC, Seen};
use world::{World, arn, drive, parcel};

fn answer(status: u16, body: &str) -> Reply {
    Reply::Answer(status, Vec::new(), body.to_owned())
}

fn limited(status: u16, header: &'static str, value: &str, body: &str) -> Reply {
    Reply::Answer(status, vec![(header, value.to_owned())], body.to_owned())
}

fn requests(seen: &[Seen]) -> Vec<String> {
    let id = |seen: &Seen| {
        let body: Value = serde_json::from_str(&seen.body).unwrap();
        body["connectorMetaData"]["requestId"].as_str().unwrap().to_owned()
    };
    seen.iter().map(id).collect()
}

#[tokio::test]
async fn machines_of_all_scanners_go_in_one_call_and_are_marked() {
    let world = World::new().await;
    world.fill(3);
    let round = world.round().await.unwrap();
    assert_eq!((round.delivered, round.refused), (3, 0));
    assert_eq!(world.standin.seen(SYNC).len(), 1);
    assert_eq!(world.standin.assets(), [arn(1), arn(2), arn(3)]);
    assert_eq!(world.ends(), (3, 0, 0));
    // Nothing twice, neither in this process nor in the next.
    world.round().await.unwrap();
    assert_eq!(world.standin.seen(SYNC).len(), 1);
}

#[tokio::test]
async fn a_machine_has_the_documented_shape() {
    let world = World::new().await;
    world.fill(1);
    world.round().await.unwrap();
    let asset = world.standin.asset(&arn(1)).unwrap();
    let identity = &asset["identityAttributes"];
    assert_eq!(identity["instanceUuid"], "i-0a01");
    assert_eq!(identity["hostName"], "web-1");
    assert_eq!(identity["fqdn"], "ip-10-0-0-1.internal");
    assert_eq!(identity["macAddress"], "02:00:00:00:00:01");
    assert_eq!(identity["ipAddress"], json!(["10.0.0.1"]));
    assert_eq!(identity["hardwareUuid"].as_str().unwrap().len(), 36);
    let core = &asset["coreAttributes"];
    assert_eq!(core["operatingSystem"], "Debian GNU/Linux 12 (bookworm)");
    assert_eq!(core["osArchitecture"], "x86_64");
    let software = json!([{"name": "openssl", "version": "3.0.15-1~deb12u1", "isSystemApp": true, "isEnterpriseApp": false}]);
    assert_eq!(core["softwares"], software, "what only has its configuration left is not installed");
    let custom = &core["customConnectorAttributes"];
    assert_eq!(custom["configurationFacts"], "1");
    assert_eq!(custom["reportSha256"], parcel(1, "job", 1_000).delivery.report_sha256);
    assert_eq!(custom["sbomSha256"].as_str().unwrap().len(), 64);
    assert_eq!(asset.get("findings"), None, "no vulnerabilities are known, so none are said");
}

#[tokio::test]
async fn a_refused_asset_is_put_aside_with_its_text_and_the_others_are_delivered() {
    for status in [200, 207] {
        let world = World::new().await;
        world.fill(3);
        let errors =
            json!({"responseCode": "SUCCESSFULLY_PUBLISHED", "assetsError": {arn(2): "no hostName"}});
        world.standin.script(SYNC, [answer(status, &errors.to_string())]);
        world.round().await.unwrap();
        assert_eq!(world.ends(), (2, 1, 0), "{status}");
        assert!(world.texts("refused/")[0].contains("no hostName"));
    }
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_and_the_same_request_repeated() {
    let world = World::new().await;
    world.fill(1);
    world.standin.script(SYNC, [answer(401, "expired")]);
    world.round().await.unwrap();
    let seen = world.standin.seen(SYNC);
    assert_eq!((world.ends(), seen.len(), world.standin.seen("/auth").len()), ((1, 0, 0), 2, 2));
    assert_eq!(seen[0].body, seen[1].body);
    assert_ne!(seen[0].headers["authorization"], seen[1].headers["authorization"]);
}

#[tokio::test]
async fn a_token_that_is_always_refused_stops_the_sink_and_keeps_the_reports() {
    let world = World::new().await;
    world.fill(1);
    world.standin.always(SYNC, answer(401, "no"));
    let stopped = world.round().await.unwrap().stopped.unwrap();
    assert!(stopped.contains("401"), "{stopped}");
    assert_eq!((world.standin.seen(SYNC).len(), world.ends()), (2, (0, 0, 1)));
    assert_eq!(world.names("reports/").len(), 1);
    // Another scanner finds the stop and asks nothing.
    let again = drive(&world.uploader("scanner-2")).await.unwrap();
    assert_eq!((again.stopped.as_deref(), world.standin.seen(SYNC).len()), (Some(stopped.as_str()), 2));
}

#[tokio::test]
async fn a_missing_permission_or_connector_stops_the_sink_and_says_what_is_missing() {
    for (status, wanted) in [(403, "modules CSAM and ETM"), (404, "connector's UUID")] {
        let world = World::new().await;
        world.fill(1);
        world.standin.script(SYNC, [answer(status, "{\"message\":\"no\"}")]);
        let stopped = world.round().await.unwrap().stopped.unwrap();
        assert!(stopped.contains(wanted), "{stopped}");
        assert_eq!((world.standin.seen(SYNC).len(), world.ends()), (1, (0, 0, 1)));
    }
}

#[tokio::test]
async fn a_limit_is_waited_for_and_the_same_request_repeated() {
    for (reply, seconds) in [
        (limited(429, "X-RateLimit-ToWait-Sec", "7", ""), 7),
        (limited(429, "x-ratelimit-towait-sec", "7", ""), 7),
        (limited(429, "Retry-After", "9", ""), 9),
        (limited(409, "X-RateLimit-ToWait-Sec", "7", "<CODE>1965</CODE>"), 7),
        (limited(409, "X-ConcurrencyLimit-Limit", "2", "<CODE>1960</CODE>"), 10),
        (limited(409, "X-Concurrency-Limit-Limit", "2", ""), 60),
    ] {
        let world = World::new().await;
        world.fill(1);
        // More often than failures are borne: a wait is none.
        let times = if seconds < 10 { 7 } else { 1 };
        world.standin.script(SYNC, vec![reply.clone(); times]);
        world.round().await.unwrap();
        let seen = world.standin.seen(SYNC);
        assert_eq!((world.ends(), seen.len()), ((1, 0, 0), times + 1), "{reply:?}");
        for pair in seen.windows(2) {
            assert_eq!(pair[0].body, pair[1].body);
            let waited = world.clock.speed() * (pair[1].at - pair[0].at);
            assert!(waited >= Duration::from_secs(seconds), "{reply:?}: {waited:?}");
        }
    }
}

#[tokio::test]
async fn a_batch_that_is_too_large_is_halved_until_it_passes() {
    for status in [413, 400] {
        let world = World::new().await;
        world.fill(7);
        world.standin.always(SYNC, Reply::AtMost(2, status));
        world.round().await.unwrap();
        // 7 → 3 + 4 → 1 + 2, 2 + 2: three refused, four taken, no request id twice.
        let seen = world.standin.seen(SYNC);
        assert_eq!((seen.len(), world.ends()), (7, (7, 0, 0)));
        let mut ids = requests(&seen);
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 7);
    }
}

#[tokio::test]
async fn a_single_machine_that_is_not_understood_is_put_aside_with_the_answer() {
    let world = World::new().await;
    world.fill(3);
    world.standin.always(SYNC, answer(400, "bad field osVersion"));
    world.round().await.unwrap();
    assert_eq!(world.ends(), (0, 3, 0));
    assert!(world.texts("refused/").iter().all(|text| text.contains("bad field osVersion")));
}

#[tokio::test]
async fn a_passing_failure_repeats_the_same_bytes_later() {
    let html = "<html><body>Welcome to the proxy</body></html>";
    for reply in [
        answer(500, ""),
        answer(502, html),
        answer(503, ""),
        answer(504, ""),
        answer(200, html),
        answer(200, ""),
        Reply::Reset(false),
        Reply::Reset(true),
        Reply::Hang(true),
        Reply::Cut,
    ] {
        let world = World::new().await;
        world.fill(2);
        world.standin.script(SYNC, [reply.clone(), reply.clone()]);
        world.round().await.unwrap();
        let seen = world.standin.seen(SYNC);
        assert_eq!((seen.len(), world.ends()), (3, (2, 0, 0)), "{reply:?}");
        assert!(seen.iter().all(|one| one.body == seen[0].body), "{reply:?}");
        let waits: Vec<Duration> =
            seen.windows(2).map(|two| world.clock.speed() * (two[1].at - two[0].at)).collect();
        assert!(
            waits[0] >= Duration::from_secs(2) && waits[1] >= Duration::from_secs(4),
            "{reply:?}: {waits:?}"
        );
    }
}

#[tokio::test]
async fn an_outage_ends_the_round_and_the_next_goes_on_with_the_same_request() {
    let world = World::new().await;
    world.fill(2);
    world.standin.always(SYNC, answer(503, ""));
    assert!(matches!(world.round().await, Err(Error::Away { .. })));
    assert_eq!(world.ends(), (0, 0, 1));
    world.standin.always(SYNC, Reply::Usual);
    world.put(&parcel(9, "job", 1_000));
    world.round().await.unwrap();
    let ids = requests(&world.standin.seen(SYNC));
    assert_eq!(ids.len(), 8);
    assert!(ids[..7].iter().all(|id| *id == ids[0]) && ids[7] != ids[0], "{ids:?}");
    assert_eq!(world.ends(), (3, 0, 0));
}

#[tokio::test]
async fn a_window_that_is_used_up_is_waited_for_before_the_next_call() {
    let mut world = World::new().await;
    world.csam.batch_assets = 1;
    world.fill(2);
    let taken = json!({"responseCode": "SUCCESSFULLY_PUBLISHED", "assetsError": {}}).to_string();
    let headers = vec![("X-RateLimit-Remaining", "0".to_owned()), ("X-RateLimit-ToWait-Sec", "5".to_owned())];
    world.standin.script(SYNC, [Reply::Answer(200, headers, taken)]);
    world.round().await.unwrap();
    let seen = world.standin.seen(SYNC);
    assert_eq!((seen.len(), world.ends()), (2, (2, 0, 0)));
    assert!(world.clock.speed() * (seen[1].at - seen[0].at) >= Duration::from_secs(5));
}

#[tokio::test]
async fn a_report_older_than_what_was_delivered_is_left_out() {
    let world = World::new().await;
    world.put(&parcel(1, "new", 2_000));
    world.round().await.unwrap();
    world.put(&parcel(1, "old", 1_000));
    let round = world.round().await.unwrap();
    assert_eq!((round.superseded, world.standin.seen(SYNC).len()), (1, 1));
    assert!(world.texts("delivered/").iter().any(|text| text.contains("superseded")));
}

#[tokio::test]
async fn of_two_reports_that_are_there_at_once_the_older_is_never_taken_last() {
    // Reports are looked at in the order of their names, which says nothing of their snapshots.
    for (first, second, ends) in [(1_000, 2_000, 0), (2_000, 1_000, 1)] {
        let world = World::new().await;
        world.put(&parcel(1, "a", first));
        world.put(&parcel(1, "b", second));
        let round = world.round().await.unwrap();
        assert_eq!((round.delivered, round.superseded), (2 - ends, ends), "{first}, {second}");
        let seen = world.standin.seen(SYNC);
        assert_eq!(seen.len() as u64, 2 - ends, "{first}, {second}");
        let out = tempfile::tempdir().unwrap();
        let sink = Sink::Dir { name: "findings".to_owned(), folder: out.path().to_owned() };
        let round = drive(&world.uploader_to(&sink, "scanner-1")).await.unwrap();
        assert_eq!((round.delivered, round.superseded), (2 - ends, ends), "{first}, {second}: a folder");
    }
}

#[tokio::test]
async fn two_reports_of_one_machine_never_share_a_batch() {
    let world = World::new().await;
    world.put(&parcel(1, "a", 2_000));
    world.put(&parcel(1, "b", 3_000));
    world.round().await.unwrap();
    assert_eq!((world.standin.seen(SYNC).len(), world.ends()), (2, (2, 0, 0)));
}

#[tokio::test]
async fn a_report_that_is_not_the_one_that_was_written_is_put_aside() {
    let world = World::new().await;
    let mut bad = parcel(1, "job", 1_000);
    bad.delivery.report_sha256 = "0".repeat(64);
    world.put(&bad);
    world.put_bytes("reports/2026-11-21/x-1-0000000000000000.json", b"{}".to_vec());
    world.fill(0);
    let round = world.round().await.unwrap();
    assert_eq!((round.refused, world.standin.seen(SYNC).len()), (2, 0));
    assert!(world.texts("refused/").iter().any(|text| text.contains("digest")));
}

#[tokio::test]
async fn batches_keep_to_their_bytes() {
    let mut world = World::new().await;
    world.csam.batch_bytes = 3_000;
    world.fill(6);
    world.round().await.unwrap();
    let seen = world.standin.seen(SYNC);
    assert!(seen.len() >= 3, "{}", seen.len());
    assert!(seen.iter().all(|one| one.body.len() <= 3_000 + 400), "the frame around the machines is small");
    assert_eq!(world.ends(), (6, 0, 0));
}
