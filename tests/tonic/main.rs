//! gRPC over real sockets: tonic's client, a client of another make, and what becomes of deliveries.

#![cfg(feature = "tonic")]

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod calls;
mod endings;
mod foreign;
mod framing;
mod server;
