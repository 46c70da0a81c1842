// SPDX-License-Identifier: Apache-2.0
//! One test for each reason a superblock is refused.
