//! Attacks over real connections: raw bytes against an axum server, and what the server makes of them.
//!
//! Cases have the numbers of the attack catalogue. Each one is judged by the status and words of the answer, by the calls of the
//! handler, by what the replay store remembers, and by whether the server still handles a genuine delivery afterwards.

#![cfg(feature = "axum")]

mod bodies;
mod deliveries;
mod headers;
mod hostile_bodies;
mod http_stack;
mod load;
mod ordering;
mod replays;
mod server;
mod signatures;
mod timestamps;
mod wire;
