// SPDX-License-Identifier: Apache-2.0
//! Findings in a folder.

use std::fs;
use std::process::Command;

use super::world::{World, drive, parcel};
use crate::config::effective::Sink;

#[tokio::test]
async fn a_report_lies_in_a_folder_whose_digests_sha256sum_confirms() {
    let world = World::new().await;
    world.fill(2);
    let out = tempfile::tempdir().unwrap();
    let sink = Sink::Dir { name: "findings".to_owned(), folder: out.path().join("new") };
    let round = drive(&world.uploader_to(&sink, "scanner-1")).await.unwrap();
    assert_eq!(round.delivered, 2);
    let days: Vec<_> = fs::read_dir(out.path().join("new")).unwrap().map(|day| day.unwrap().path()).collect();
    assert_eq!(days.len(), 1);
    let mut folders: Vec<_> = fs::read_dir(&days[0]).unwrap().map(|one| one.unwrap().path()).collect();
    folders.sort();
    assert_eq!(folders.len(), 2);
    let report = fs::read(folders[0].join("report.json")).unwrap();
    assert_eq!(report, parcel(1, "job", 1_000).report.to_json().unwrap());
    let lines = fs::read_to_string(folders[0].join("findings.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 3);
    for line in lines.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["machine"]["job"], "job-1");
    }
    let checked = Command::new("sha256sum")
        .args(["-c", "--strict", "SHA256SUMS"])
        .current_dir(&folders[0])
        .output()
        .unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    assert_eq!(String::from_utf8_lossy(&checked.stdout).lines().count(), 4);
}

#[tokio::test]
async fn what_a_crash_left_half_written_is_written_again_and_what_is_whole_stays() {
    let world = World::new().await;
    world.fill(1);
    let out = tempfile::tempdir().unwrap();
    let sink = Sink::Dir { name: "findings".to_owned(), folder: out.path().to_owned() };
    drive(&world.uploader_to(&sink, "scanner-1")).await.unwrap();
    let day = fs::read_dir(out.path()).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read_dir(&day).unwrap().next().unwrap().unwrap();
    let part = day.join(format!(".{}.part", whole.file_name().to_string_lossy()));
    fs::rename(whole.path(), &part).unwrap();
    fs::write(part.join("report.json"), "half").unwrap();
    // The marks are gone as well, as if it had died before them.
    world.names("delivered/").iter().chain(&world.names("done/")).for_each(|name| world.forget(name));
    drive(&world.uploader_to(&sink, "scanner-1")).await.unwrap();
    assert!(!part.exists());
    assert_ne!(fs::read(whole.path().join("report.json")).unwrap(), b"half");
    world.names("delivered/").iter().chain(&world.names("done/")).for_each(|name| world.forget(name));
    let before = fs::metadata(whole.path()).unwrap().modified().unwrap();
    drive(&world.uploader_to(&sink, "scanner-1")).await.unwrap();
    assert_eq!(fs::metadata(whole.path()).unwrap().modified().unwrap(), before);
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_marks_nothing() {
    let world = World::new().await;
    world.fill(1);
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("file");
    fs::write(&file, "").unwrap();
    let sink = Sink::Dir { name: "findings".to_owned(), folder: file.clone() };
    let error = drive(&world.uploader_to(&sink, "scanner-1")).await.unwrap_err();
    assert!(error.to_string().contains(&file.display().to_string()), "{error}");
    assert!(world.names("delivered/").is_empty());
}
