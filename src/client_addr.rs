//! Who is on the other end of the connection.

use std::net::{IpAddr, SocketAddr};

use http::Extensions;

/// The peer's address, as the accept loop of a plain hyper server puts it into the extensions of each request.
///
/// Under axum, `into_make_service_with_connect_info::<SocketAddr>()` does (feature `axum`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddr(pub SocketAddr);

/// The peer's address, whoever put it there.
pub(crate) fn peer(extensions: &Extensions) -> Option<IpAddr> {
    if let Some(PeerAddr(address)) = extensions.get() {
        return Some(address.ip());
    }
    #[cfg(feature = "axum")]
    if let Some(axum::extract::ConnectInfo(address)) = extensions.get::<axum::extract::ConnectInfo<SocketAddr>>() {
        return Some(address.ip());
    }
    None
}
