// SPDX-License-Identifier: Apache-2.0
//! Master boot records, extended partitions included.
