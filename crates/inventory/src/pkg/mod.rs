// SPDX-License-Identifier: Apache-2.0
//! What is installed: one module for each package database.

pub mod apk;
pub mod bottlerocket;
pub mod cos;
pub mod dpkg;
pub mod flatpak;
mod lost;
pub mod opkg;
pub mod pacman;
pub mod paragraphs;
pub mod portage;
pub mod rpm;
pub mod snap;
mod xml;
mod yaml;
