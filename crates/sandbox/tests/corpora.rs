// SPDX-License-Identifier: Apache-2.0
//! Every input that fuzzing of the record protocol kept, once more, whole and cut in half.
#![expect(clippy::unwrap_used, reason = "a test that panics is a test that failed")]

#[expect(unreachable_pub, reason = "public for the fuzz targets")]
#[path = "../../fuzz/src/sandbox.rs"]
mod sandbox;

use std::fs::{self, File};
use std::path::Path;

use snapscan_sandbox::child::unconfined;
use snapscan_sandbox::{Bytes, Profile, Target, Volume};

/// `SNAPSCAN_WRITE_CORPUS=1` writes real answers into the corpus: to be done when the protocol changes.
fn write(folder: &Path) {
    for name in ["alpine", "rocky-xfs-lvm-gpt", "truncated"] {
        let image =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(format!("{name}.img.zst"));
        let bytes = Bytes::File(File::open(image).unwrap());
        let target = Target::Disks(vec![Volume { name: b"disk".to_vec(), bytes }]);
        let report = unconfined::inspect(target, Profile::Os, 1).unwrap();
        let mut stream = vec![254];
        unconfined::say(report, &mut stream).unwrap();
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join(name), &stream).unwrap();
        // The same where a look was asked for.
        stream[0] = 255;
        stream.truncate(200);
        fs::write(folder.join(format!("{name}-look")), &stream).unwrap();
    }
}

#[test]
fn what_fuzzing_found_in_the_records_stays_mended() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/records");
    if std::env::var_os("SNAPSCAN_WRITE_CORPUS").is_some() {
        write(&folder);
    }
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        sandbox::records(&bytes);
        sandbox::records(&bytes[..bytes.len() / 2]);
        count += 1;
    }
    assert!(count >= 4, "{count}");
}
