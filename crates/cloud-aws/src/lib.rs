// SPDX-License-Identifier: Apache-2.0
//! The AWS SDK behind the calls of `snapscan-cloud`; empty without its feature `sdk`.
#![forbid(unsafe_code)]
