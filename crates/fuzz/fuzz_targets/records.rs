// SPDX-License-Identifier: Apache-2.0
//! See `sandbox::records`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| snapscan_fuzz::sandbox::records(bytes));
