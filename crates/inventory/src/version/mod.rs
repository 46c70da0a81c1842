// SPDX-License-Identifier: Apache-2.0
//! Which of two versions is newer, by the rule of each ecosystem.
