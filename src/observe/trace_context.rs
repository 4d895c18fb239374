use std::fmt;

use http::HeaderMap;

/// The trace that a request is part of, as its sender says ([W3C Trace Context](https://www.w3.org/TR/trace-context/), `traceparent`).
///
/// Anyone can write one, so it is taken only from deliveries that were verified; handlers find it in the request's extensions. Signatures rarely
/// cover headers: who can change a delivery on its way may put it into another trace.
///
/// ```
/// use tower_webhook::observe::TraceContext;
///
/// let context = TraceContext::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
/// assert_eq!(context.trace_id(), 0x0af7651916cd43dd8448eb211c80319c);
/// assert!(context.is_sampled());
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: u128,
    parent_id: u64,
    flags: u8,
}

impl TraceContext {
    /// Reads a `traceparent`; `None` if it is none.
    pub fn parse(traceparent: &str) -> Option<Self> {
        let bytes = traceparent.as_bytes();
        let is_hex = |part: &[u8]| part.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        // 2 digits of a version, 32 of the trace, 16 of the span, 2 of flags.
        let [version, trace_id, parent_id, flags] = [0..2, 3..35, 36..52, 53..55].map(|range| traceparent.get(range));
        let (version, trace_id, parent_id, flags) = (version?, trace_id?, parent_id?, flags?);
        let is_grouped = [2, 35, 52].iter().all(|position| bytes.get(*position) == Some(&b'-'));
        let ends_well = match version {
            "ff" => false,
            "00" => bytes.len() == 55,
            // Later versions may have more to say.
            _ => matches!(bytes.get(55), None | Some(b'-')),
        };
        let digits = [version, trace_id, parent_id, flags];
        if !is_grouped || !ends_well || !digits.iter().all(|part| is_hex(part.as_bytes())) {
            return None;
        }
        let this = Self {
            trace_id: u128::from_str_radix(trace_id, 16).ok()?,
            parent_id: u64::from_str_radix(parent_id, 16).ok()?,
            flags: u8::from_str_radix(flags, 16).ok()?,
        };
        (this.trace_id != 0 && this.parent_id != 0).then_some(this)
    }

    /// What a request's headers say; `None` if they say nothing, nonsense, or two things.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut all = headers.get_all("traceparent").iter();
        match (all.next(), all.next()) {
            (Some(only), None) => Self::parse(only.to_str().ok()?),
            _ => None,
        }
    }

    /// The trace.
    pub fn trace_id(&self) -> u128 {
        self.trace_id
    }

    /// The span of the sender's in which the request was made.
    pub fn parent_id(&self) -> u64 {
        self.parent_id
    }

    /// Whether the sender has kept its part.
    pub fn is_sampled(&self) -> bool {
        self.flags & 1 == 1
    }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.parent_id, self.flags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_standard_describes_is_a_trace() {
        const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        for (text, is_good) in [
            (GOOD.to_owned(), true),
            (GOOD.replace("-01", "-00"), true),
            (GOOD.replacen("00-", "cc-", 1), true),
            (format!("{}-what-comes-later", GOOD.replacen("00-", "cc-", 1)), true),
            (format!("{GOOD}-more"), false),
            (GOOD.replacen("00-", "ff-", 1), false),
            (GOOD.to_uppercase(), false),
            (GOOD.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)), false),
            (GOOD.replace("b7ad6b7169203331", &"0".repeat(16)), false),
            (GOOD.replace('-', "_"), false),
            (GOOD[..54].to_owned(), false),
            (format!("00-+{}", &GOOD[4..]), false),
            ("é".repeat(28), false),
            (String::new(), false),
        ] {
            assert_eq!(TraceContext::parse(&text).is_some(), is_good, "{text}");
        }
        assert_eq!(format!("{:?}", TraceContext::parse(GOOD).unwrap()), GOOD);
    }
}
