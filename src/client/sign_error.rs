use std::{error::Error, fmt};

use http::HeaderName;

use crate::{ConfigError, clock::ClockError};

/// Why a request was not sent: it could not be signed as it was.
///
/// Nothing of it has reached the receiver. [`SignLayer`](super::SignLayer) answers it as a boxed error, in which `downcast_ref` finds it.
#[derive(Debug)]
#[non_exhaustive]
pub enum SignError {
    /// The body could not be read.
    Body(Box<dyn Error + Send + Sync>),
    /// The body is larger than [it may be](super::SignLayer::max_body).
    BodyTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The body is not as long as its `Content-Length` says: it broke off, or something has changed it.
    WrongLength,
    /// The body has trailers, which no scheme signs.
    Trailers,
    /// The request has a header already that is the signature's to set.
    HeaderTaken {
        /// Which one.
        header: HeaderName,
    },
    /// The scheme signs the URL, of which the request has only the path: see [`SignLayer::origin`](super::SignLayer::origin).
    UnknownOrigin,
    /// The signer refused: see [`Signer::sign`](crate::scheme::Signer::sign).
    Unsignable(ConfigError),
    /// The clock does not tell the time.
    Clock(ClockError),
}

impl fmt::Display for SignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body(_) => f.write_str("the body of the request to sign could not be read"),
            Self::BodyTooLarge { limit } => write!(f, "the request to sign has a body of more than {limit} bytes"),
            Self::WrongLength => f.write_str("the request to sign has a body of another length than announced"),
            Self::Trailers => f.write_str("the request to sign has trailers, which no signature covers"),
            Self::HeaderTaken { header } => {
                write!(f, "the request to sign has the header `{header}` already, which is the signature's to set")
            }
            Self::UnknownOrigin => f.write_str(
                "the scheme signs the whole URL, and the request has only its path: tell `SignLayer::origin` the rest",
            ),
            Self::Unsignable(_) => f.write_str("the request could not be signed"),
            Self::Clock(_) => f.write_str("the request could not be signed: nobody knows what time it is"),
        }
    }
}

impl Error for SignError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Body(error) => Some(&**error),
            Self::Unsignable(error) => Some(error),
            Self::Clock(error) => Some(error),
            _ => None,
        }
    }
}

impl From<ConfigError> for SignError {
    fn from(error: ConfigError) -> Self {
        Self::Unsignable(error)
    }
}
