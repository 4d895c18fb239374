//! Mercado Pago signs an id from the query, the request id and the time, leaving out what is missing.

use crate::{
    Rejection,
    scheme::{Canonical, SignedRequest, Source},
};

pub(in crate::provider) const MANIFEST: Canonical<'static> = Canonical {
    name: "mercado-pago",
    covers: &[Source::Query("data.id"), Source::Header("x-request-id"), Source::Field("ts")],
    parameters: &[],
    write,
};

fn write(request: &SignedRequest<'_>, sink: &mut dyn FnMut(&[u8])) -> Result<(), Rejection> {
    let id = request.query_value("data.id")?.unwrap_or_default();
    let request_id = request.header("x-request-id")?.unwrap_or_default();
    let time = request.timestamp().ok_or(Rejection::MissingTimestamp)?;
    for (label, value) in [("id:", &*id), ("request-id:", request_id), ("ts:", time)] {
        if value.contains(';') {
            return Err(Rejection::AmbiguousMessage);
        }
        if !value.is_empty() {
            sink(label.as_bytes());
            sink(value.as_bytes());
            sink(b";");
        }
    }
    Ok(())
}
