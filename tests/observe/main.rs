//! What is told of requests: each outcome with its exact fields, nothing that must not get out, and not too much of it.

#[path = "../support/mod.rs"]
mod support;

mod anomalies;
mod capture;
mod floods;
mod gauges;
mod outcomes;
mod rejections;
mod stages;
mod traces;
