// SPDX-License-Identifier: Apache-2.0
//! The worker behind one face.
