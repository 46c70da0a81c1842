// SPDX-License-Identifier: Apache-2.0
//! The words between parent and child: what may be asked, what may be said, and the parent's distrust.
//!
//! | module | answers |
//! |---|---|
//! | [`frame`] | where does one message end on a stream? |
//! | [`request`] | what may the parent ask? |
//! | [`record`] | what may a child say? |
//! | [`mirror`] | how do findings look on this wire? |
//! | [`mod@line`] | how does the tree of coverage become lines and a tree again? |
//! | [`fit`] | what becomes of a report that is larger than the wire carries? |
//! | [`check`] | what does the parent believe? |
#![deny(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic
)]
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::expect_used,
        clippy::unwrap_used,
        clippy::panic,
        reason = "a test that panics is a test that failed"
    )
)]

pub mod check;
pub mod fit;
pub mod frame;
pub mod line;
pub mod mirror;
pub mod record;
pub mod request;
