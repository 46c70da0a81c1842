// SPDX-License-Identifier: Apache-2.0
//! Rpm packages: SQLite, NDB and Berkeley DB databases.
//!
//! Every reader checks itself: what the structure promises (buckets, chains, leaves, slots) was reached, or the scan
//! names what was not. Totals that a database stores are only notes, since writers leave them stale.
//!
//! | module | answers |
//! |---|---|
//! | [`find`] | which database of which folder is the live one? |
//! | [`header`] | what package does a header blob describe? |
//! | [`scan`] | how does a reader hand over records and say what it did not reach? |
//! | [`window`] | how are a file's bytes read in few large pieces? |
//! | [`sqlite`] | `rpmdb.sqlite` with its write-ahead log or rollback journal |
//! | [`ndb`] | `Packages.db` |
//! | [`bdb`] | `Packages`, a Berkeley DB hash or btree |

pub mod bdb;
mod find;
pub mod header;
pub mod ndb;
pub mod scan;
pub mod sqlite;
mod window;

use crate::{Extractor, Profile};

/// Rpm packages: SQLite, NDB and Berkeley DB databases.
///
/// The logs beside a database are wanted too, so that they are fetched with it.
pub const RPM: Extractor = Extractor {
    name: "rpm",
    ecosystem: Some("rpm"),
    title: "rpm packages: SQLite, NDB and Berkeley DB databases",
    profile: Profile::Os,
    wants: &[
        "usr/lib/sysimage/rpm/rpmdb.sqlite",
        "usr/lib/sysimage/rpm/rpmdb.sqlite-wal",
        "usr/lib/sysimage/rpm/rpmdb.sqlite-journal",
        "usr/lib/sysimage/rpm/Packages.db",
        "usr/lib/sysimage/rpm/Packages",
        "var/lib/rpm/rpmdb.sqlite",
        "var/lib/rpm/rpmdb.sqlite-wal",
        "var/lib/rpm/rpmdb.sqlite-journal",
        "var/lib/rpm/Packages.db",
        "var/lib/rpm/Packages",
        "usr/share/rpm/rpmdb.sqlite",
        "usr/share/rpm/rpmdb.sqlite-wal",
        "usr/share/rpm/rpmdb.sqlite-journal",
        "usr/share/rpm/Packages.db",
        "usr/share/rpm/Packages",
    ],
    max_bytes: 2 << 30,
    run: find::run,
    walk: None,
};
