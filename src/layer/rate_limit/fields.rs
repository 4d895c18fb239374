use std::fmt::Write;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    ConfigError,
    store::{Quotas, Standing},
};

/// What senders are told of their quotas: draft-ietf-httpapi-ratelimit-headers-10.
#[derive(Clone)]
pub(super) struct Fields {
    policy: HeaderValue,
}

const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

impl Fields {
    pub(super) fn new(quotas: &Quotas) -> Result<Self, ConfigError> {
        let mut policy = String::new();
        for (index, quota) in quotas.as_slice().iter().enumerate() {
            let name = quota.name();
            let refuse = |why| ConfigError::invalid("name of a quota", name, why);
            // What stands between the quotes of a structured field (RFC 9651, section 3.3.3), without what would have to be escaped.
            let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && !b"\"\\".contains(&byte);
            if name.is_empty() || !name.bytes().all(is_plain) {
                return Err(refuse("must be printable ASCII without quotes and backslashes"));
            }
            if quotas.as_slice()[..index].iter().any(|earlier| earlier.name() == name) {
                return Err(refuse("is that of another quota beside it: give each a name of its own"));
            }
            let window = quota.period().as_secs();
            separate(&mut policy);
            let _ = write!(policy, "\"{name}\";q={};w={window}", quota.requests());
        }
        let policy = HeaderValue::try_from(policy).map_err(|_| {
            ConfigError::invalid("names of quotas", "…", "must be printable ASCII without quotes and backslashes")
        })?;
        Ok(Self { policy })
    }

    /// Beside those of another layer: both fields are lists.
    pub(super) fn write(&self, headers: &mut HeaderMap, quotas: &Quotas, standing: &Standing) {
        let mut limit = String::new();
        for (quota, full_in) in quotas.as_slice().iter().zip(standing.full_in) {
            let seconds = full_in.as_secs() + u64::from(full_in.subsec_nanos() > 0);
            separate(&mut limit);
            let _ = write!(limit, "\"{}\";r={};t={seconds}", quota.name(), quota.remaining(full_in));
        }
        if let Ok(limit) = HeaderValue::try_from(limit) {
            headers.append(RATE_LIMIT_POLICY, self.policy.clone());
            headers.append(RATE_LIMIT, limit);
        }
    }
}

fn separate(list: &mut String) {
    if !list.is_empty() {
        list.push_str(", ");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::{Charge, Quota};

    #[test]
    fn fields_say_what_is_allowed_and_what_is_left() {
        let quotas = Quotas::from([Quota::per_second(10), Quota::per_hour(1000).allow_burst(50).named("slow")]);
        let fields = Fields::new(&quotas).unwrap();
        let mut account = [0; 2];
        // Charge, left and whole again in, for each quota.
        for (charge, expected) in [
            (Charge::Nothing, r#""second";r=10;t=0, "slow";r=50;t=0"#),
            (Charge::IfAllowed(1), r#""second";r=9;t=1, "slow";r=49;t=4"#),
            (Charge::IfAllowed(9), r#""second";r=0;t=1, "slow";r=40;t=36"#),
            (Charge::IfAllowed(1), r#""second";r=0;t=1, "slow";r=40;t=36"#),
        ] {
            let mut headers = HeaderMap::new();
            fields.write(&mut headers, &quotas, &quotas.settle(&mut account, 0, charge));
            assert_eq!(headers["ratelimit-policy"], r#""second";q=10;w=1, "slow";q=1000;w=3600"#);
            assert_eq!(headers["ratelimit"], expected, "{charge:?}");
        }
    }

    #[test]
    fn names_that_no_field_can_hold_or_that_are_double_are_refused() {
        for quotas in [
            Quotas::from(Quota::per_second(1).named("")),
            Quota::per_second(1).named("a\"b").into(),
            Quota::per_second(1).named("a\\b").into(),
            Quota::per_second(1).named("ä").into(),
            Quota::per_second(1).named("a\nb").into(),
            [Quota::per_second(1), Quota::per_second(2)].into(),
        ] {
            assert!(Fields::new(&quotas).is_err(), "{quotas:?}");
        }
    }

    #[test]
    fn fields_of_two_layers_stand_side_by_side() {
        let mut headers = HeaderMap::new();
        for quotas in [Quotas::from(Quota::per_second(1)), Quota::per_hour(1).into()] {
            let standing =
                Standing { verdict: crate::store::Verdict::Allowed, full_in: [Duration::ZERO; Quotas::MOST] };
            Fields::new(&quotas).unwrap().write(&mut headers, &quotas, &standing);
        }
        assert_eq!(headers.get_all("ratelimit").iter().count(), 2);
    }
}
