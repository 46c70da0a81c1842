// SPDX-License-Identifier: Apache-2.0
//! Every extractor there is: the one list.

use crate::{Extractor, fact, os, pkg};

/// All extractors, in the order in which coverage names them.
pub const ALL: &[&Extractor] = &[
    &os::release::RELEASE,
    &os::kernel::KERNELS,
    &os::identity::IDENTITY,
    &os::elf::ARCHITECTURE,
    &pkg::dpkg::DPKG,
    &pkg::rpm::RPM,
    &pkg::apk::APK,
    &pkg::pacman::PACMAN,
    &pkg::opkg::OPKG,
    &pkg::portage::PORTAGE,
    &pkg::snap::SNAP,
    &pkg::flatpak::FLATPAK,
    &pkg::bottlerocket::BOTTLEROCKET,
    &pkg::cos::COS,
    &fact::sshd::SSHD,
    &fact::accounts::ACCOUNTS,
    &fact::sudoers::SUDOERS,
    &fact::sysctl::SYSCTL,
    &fact::units::UNITS,
    &fact::cron::CRON,
    &fact::mounts::MOUNTS,
    &fact::modes::MODES,
];
