// SPDX-License-Identifier: Apache-2.0
//! See `disk::ext4`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    snapscan_fuzz::disk::ext4(bytes);
});
