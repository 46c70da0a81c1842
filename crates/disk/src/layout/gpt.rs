// SPDX-License-Identifier: Apache-2.0
//! GUID partition tables.
