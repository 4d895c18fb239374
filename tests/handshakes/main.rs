//! Handshakes as providers document them, and as strangers would like them to be.

#![cfg(feature = "axum")]

#[path = "../support/mod.rs"]
mod support;

mod deliveries;
mod settings;
mod signed;
mod site;
mod subscriptions;
mod unsigned;
