//! Request bodies that are proof of what was done to them.
//!
//! [`Buffered`] has been read to its end, within a cap and a deadline; [`Verified`] has also been found genuine. Both are ordinary
//! [`http_body::Body`]s that keep trailers, so any handler takes them. Only the layers of this crate make them,
//! which is how a stack in an unsafe order fails to compile.

mod budget;
mod buffered;
mod coding;
mod grpc;
mod read;
mod verified;

pub use self::{
    budget::BodyBudget,
    buffered::Buffered,
    coding::ContentCoding,
    verified::{Verified, VerifiedBody},
};
pub(crate) use self::{
    budget::Lease,
    grpc::is_grpc,
    read::{Limits, ReadBody},
};
