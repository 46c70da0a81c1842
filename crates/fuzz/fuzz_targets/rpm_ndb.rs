// SPDX-License-Identifier: Apache-2.0
//! See `inventory::rpm_ndb`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| snapscan_fuzz::inventory::rpm_ndb(bytes));
