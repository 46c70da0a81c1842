// SPDX-License-Identifier: Apache-2.0
//! See `disk::xfs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    snapscan_fuzz::disk::xfs(bytes);
});
