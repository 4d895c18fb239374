//! What a framework around us knows of a request, and what it should know from us.

use http::{Extensions, Request, Uri};

use crate::body::Verified;

/// The target that the sender called, where a nested router has taken the front off it.
#[cfg(feature = "axum")]
pub(crate) fn original_uri(extensions: &Extensions) -> Option<&Uri> {
    extensions.get::<axum::extract::OriginalUri>().map(|axum::extract::OriginalUri(uri)| uri)
}

#[cfg(not(feature = "axum"))]
pub(crate) fn original_uri(_: &Extensions) -> Option<&Uri> {
    None
}

/// The route that the request was for, as it was declared.
#[cfg(feature = "axum")]
pub(crate) fn route(extensions: &Extensions) -> Option<&str> {
    extensions.get::<axum::extract::MatchedPath>().map(axum::extract::MatchedPath::as_str)
}

#[cfg(not(feature = "axum"))]
pub(crate) fn route(_: &Extensions) -> Option<&str> {
    None
}

/// Says that the body is within its bounds, so that extractors do not refuse it by theirs.
#[cfg(feature = "axum")]
pub(crate) fn vouch_for_length(request: &mut Request<Verified>) {
    /// What axum's extractors take unless told otherwise.
    const DEFAULT_LIMIT: usize = 2 * 1024 * 1024;
    if request.body().bytes().len() > DEFAULT_LIMIT {
        axum::extract::DefaultBodyLimit::disable().apply(request);
    }
}

#[cfg(not(feature = "axum"))]
pub(crate) fn vouch_for_length(_: &mut Request<Verified>) {}
