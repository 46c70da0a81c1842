// SPDX-License-Identifier: Apache-2.0
//! From the outbox to where findings go: one uploader at a time for each sink, over all scanners.
//!
//! ```text
//!  outbox reports/… ─► gather ─► batch, written down ─► send ─► marks delivered/… refused/… done/…
//!                        │                               │ 413, 400: halves, written down
//!                        └─► dir: files, renamed at once └ 401 403 404: stop/SINK for all
//! ```
//!
//! | module | answers |
//! |---|---|
//! | [`round`] | what happens in one round of one sink, in which order? |
//! | [`mod@run`] | when are rounds, and what is said about them? |
//! | [`lease`] | who is the uploader? |
//! | [`store`] | what is read from and written to outbox and table? |
//! | [`mark`] | which delivery is which, and how did it end? |
//! | [`batch`] | what exactly is sent, and what are its halves? |
//! | [`send`] | how is a batch got through? |
//! | [`answer`] | what does an answer mean? |
//! | [`keep`] | what goes from the outbox, and when? |
//! | [`pace`] | how long is waited? |
//! | [`token`] | how is a token had and kept? |
//! | [`csam`] | how does a machine look to Qualys? |
//! | [`dir`] | how do findings lie in a folder? |

mod answer;
mod batch;
mod csam;
mod dir;
mod error;
mod keep;
mod lease;
mod mark;
mod pace;
mod round;
mod run;
mod send;
mod store;
mod token;

pub(crate) use error::Error;
pub(crate) use keep::Keep;
pub(crate) use round::{Round, Uploader, name_of};
pub(crate) use run::run;
pub(crate) use send::{Times, told};
pub(crate) use store::Store;

#[cfg(test)]
mod tests;
