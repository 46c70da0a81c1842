// SPDX-License-Identifier: Apache-2.0
//! Bytes as what a hijacked child says. The parent must neither panic nor keep more than it was promised.

use snapscan_sandbox::wire::check::{Asking, Check, Lie, Said};
use snapscan_sandbox::wire::frame::Frames;
use snapscan_sandbox::wire::record::Record;

/// A stream of records about the volumes `disk` and `data`; the first byte says how it is cut into pieces, and whether
/// a report or a look was asked for.
pub fn records(bytes: &[u8]) {
    let Some((&first, stream)) = bytes.split_first() else { return };
    let asking = match first & 1 {
        0 => Asking::Report(vec![b"disk".to_vec(), b"data".to_vec()]),
        _ => Asking::Look,
    };
    let (mut frames, mut check, mut is_done) = (Frames::default(), Check::new(asking), false);
    for piece in stream.chunks(usize::from(first >> 1).max(1)) {
        let fed = frames.feed(piece, |record: Record, len| {
            let said = check.take(record, len);
            assert!(!is_done || said.is_err(), "a record after the last is a lie");
            is_done |= matches!(said?, Said::Done | Said::Failed(_));
            Ok::<(), Lie>(())
        });
        if fed.is_err() {
            return;
        }
    }
    let told = check.into_told();
    let known = |volume: &[u8]| volume.starts_with(b"disk") || volume.starts_with(b"data");
    let groups = told.coverage.iter().flat_map(|top| &top.children).any(|line| !known(line.name.as_bytes()));
    for finding in &told.findings {
        let evidence = match finding {
            snapscan_schema::Finding::Package(one) | snapscan_schema::Finding::Key(one) => &one.evidence,
            snapscan_schema::Finding::Fact(one) => &one.evidence,
        };
        assert!(groups || known(evidence.volume.as_bytes()), "{evidence:?}");
    }
}
