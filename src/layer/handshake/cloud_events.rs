//! Permission to send, for CloudEvents senders that ask for it.

use http::{HeaderName, HeaderValue, Method, StatusCode, header::ALLOW};

use crate::{ConfigError, layer::Refusal, scheme::Head, store::Quotas};

const REQUEST_ORIGIN: HeaderName = HeaderName::from_static("webhook-request-origin");
const ALLOWED_ORIGIN: HeaderName = HeaderName::from_static("webhook-allowed-origin");
const ALLOWED_RATE: HeaderName = HeaderName::from_static("webhook-allowed-rate");

#[derive(Clone)]
pub(super) struct CloudEvents {
    origins: Vec<Box<str>>,
    rate: HeaderValue,
}

impl CloudEvents {
    pub(super) fn new(
        origins: impl IntoIterator<Item: AsRef<str>>,
        quotas: Option<Quotas>,
    ) -> Result<Self, ConfigError> {
        let is_name = |name: &str| {
            !name.is_empty()
                && name.len() <= 253
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
        };
        let origins: Vec<Box<str>> = origins.into_iter().map(|origin| origin.as_ref().into()).collect();
        if let Some(origin) = origins.iter().find(|origin| !is_name(origin)) {
            return Err(ConfigError::invalid("origin", origin, "not a name in the DNS, such as `events.example.com`"));
        }
        if origins.is_empty() {
            return Err(ConfigError::invalid("origins", "", "nobody would be allowed to send"));
        }
        let rate = match quotas {
            None => HeaderValue::from_static("*"),
            Some(quotas) => per_minute(&quotas)
                .ok_or_else(|| {
                    ConfigError::invalid("quotas", format!("{:?}", quotas.as_slice()), "they let nothing through")
                })?
                .into(),
        };
        Ok(Self { origins, rate })
    }

    /// The answer to a request for permission. Others, and those of strangers, are nothing to it: whoever does not agree should
    /// answer as if there were no such method (section 4.2).
    pub(super) fn ask(&self, head: Head<'_>) -> Option<Refusal> {
        if *head.method != Method::OPTIONS {
            return None;
        }
        let mut origins = head.headers.get_all(REQUEST_ORIGIN).iter();
        let (Some(origin), None) = (origins.next(), origins.next()) else { return None };
        if !self.origins.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(origin.as_bytes())) {
            return None;
        }
        let answer = Refusal::answer(StatusCode::OK, "")
            .header(ALLOW, HeaderValue::from_static("POST"))
            .header(ALLOWED_ORIGIN, origin.clone())
            .header(ALLOWED_RATE, self.rate.clone());
        Some(answer)
    }
}

/// What all of the quotas allow in a minute. The least that can be said is one.
fn per_minute(quotas: &Quotas) -> Option<u64> {
    let rate = |quota: &crate::store::Quota| {
        quota.interval()?;
        let millis = quota.period().as_millis().max(1);
        u64::try_from(u128::from(quota.requests()) * 60_000 / millis).ok()
    };
    let rates = quotas.as_slice().iter().map(rate).collect::<Option<Vec<_>>>()?;
    rates.into_iter().min().map(|least| least.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Quota;

    #[test]
    fn the_least_quota_is_the_rate() {
        for (quotas, expected) in [
            (Quotas::from(Quota::per_minute(100)), Some(100)),
            (Quota::per_second(2).into(), Some(120)),
            (Quota::per_hour(90).into(), Some(1)),
            (Quota::per_day(1).into(), Some(1)),
            ([Quota::per_second(10), Quota::per_hour(1200)].into(), Some(20)),
            (Quota::per_minute(0).into(), None),
            ([Quota::per_minute(5), Quota::per_day(9).allow_burst(0)].into(), None),
        ] {
            assert_eq!(per_minute(&quotas), expected, "{quotas:?}");
        }
    }
}
