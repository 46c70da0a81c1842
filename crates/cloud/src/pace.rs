// SPDX-License-Identifier: Apache-2.0
//! Rates per account, region and action.
