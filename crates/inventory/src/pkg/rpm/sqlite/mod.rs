// SPDX-License-Identifier: Apache-2.0
//! The table `Packages` of an `rpmdb.sqlite`, as SQLite itself would show it.
//!
//! Only the pages of that table are read, not those of the indexes beside it.
//!
//! | module | answers |
//! |---|---|
//! | [`packages`] | which headers does the table of packages have, and does the table of names agree? |
//! | [`pages`] | what is on page N, with log and journal applied? |
//! | [`wal`] | which pages does the write-ahead log hold? |
//! | [`journal`] | which pages does a hot rollback journal restore? |
//! | [`free`] | which pages are free, so that nothing may lead to them? |
//! | [`table`] | which rows does a table have? |
//! | [`node`] | what stands on one page of a table, and is every byte of it accounted for? |
//! | [`row`] | what are a row's columns? |
//!
//! Source: <https://www.sqlite.org/fileformat2.html>; rpm's lib/backend/sqlite.c (the schema).

mod free;
mod journal;
mod node;
mod packages;
mod pages;
mod row;
mod table;
mod wal;

pub use packages::read;
