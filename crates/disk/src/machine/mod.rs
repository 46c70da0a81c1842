// SPDX-License-Identifier: Apache-2.0
//! One machine from many disks.
