// SPDX-License-Identifier: Apache-2.0
//! Whole-program tests.
