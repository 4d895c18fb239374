//! Signed content that no data can describe, written by code.

pub(super) mod adyen;
pub(super) mod atlassian;
pub(super) mod braintree;
pub(super) mod contentful;
pub(super) mod dropbox_sign;
pub(super) mod hygraph;
pub(super) mod klaviyo;
pub(super) mod lark;
pub(super) mod mandrill;
pub(super) mod mercado_pago;
pub(super) mod neon;
pub(super) mod paddle_classic;
pub(super) mod plivo;
pub(super) mod sns;
pub(super) mod trello;
pub(super) mod truelayer;
pub(super) mod twilio;
pub(super) mod wechat;

use http::header::CONTENT_TYPE;

use crate::{Rejection, scheme::SignedRequest};

/// Refuses a form that is said to be of another kind than `application/x-www-form-urlencoded`.
///
/// The same bytes, read as `multipart/form-data`, can hold other fields than those that were signed.
fn only_urlencoded(request: &SignedRequest<'_>) -> Result<(), Rejection> {
    const KIND: &str = "application/x-www-form-urlencoded";
    let kind = request.header(CONTENT_TYPE.as_str())?;
    let is_urlencoded =
        kind.is_none_or(|kind| kind.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case(KIND)));
    if is_urlencoded { Ok(()) } else { Err(Rejection::AmbiguousMessage) }
}
