// SPDX-License-Identifier: Apache-2.0
//! `Packages`, a Berkeley DB: a hash (rpm up to 4.16) or a btree (rpm5).
//!
//! | module | answers |
//! |---|---|
//! | [`meta`] | what kind of database is this, in which byte order? |
//! | [`pages`] | what is on page N, which pages were met, which were not? |
//! | [`hash`] | which pairs does a hash have? |
//! | [`btree`] | which pairs does a btree have? |
//! | [`pairs`] | which pairs are packages? |
//!
//! Source: Berkeley DB's dbinc/db_page.h and hash.h of releases 3.2, 4.0 and 5.3; rpm's lib/backend/bdb_ro.cc.

mod btree;
mod hash;
mod meta;
mod pages;
mod pairs;

pub use pairs::read;
