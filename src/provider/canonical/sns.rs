//! What Amazon SNS signs: some members of the body, each as its name, a line feed, its value, a line feed.

use crate::{
    Rejection,
    scheme::{Canonical, SignedRequest, Source},
};

/// The members of a message that its kind calls for, in alphabetical order.
///
/// The topic must be one of those configured as `topic-arn` (several between commas): anyone can have Amazon sign
/// messages of an own topic. Nor may `SigningCertURL` lead elsewhere than to Amazon SNS itself, see [`is_of_sns`].
pub(in crate::provider) const SNS: Canonical<'static> = Canonical {
    name: "sns",
    covers: &[
        Source::Json("/Message"),
        Source::Json("/MessageId"),
        Source::Json("/Subject"),
        Source::Json("/SubscribeURL"),
        Source::Json("/Timestamp"),
        Source::Json("/Token"),
        Source::Json("/TopicArn"),
        Source::Json("/Type"),
    ],
    parameters: &["topic-arn"],
    write,
};

const NOTIFICATION: &[&str] = &["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"];
const SUBSCRIPTION: &[&str] = &["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"];

fn write(request: &SignedRequest<'_>, sink: &mut dyn FnMut(&[u8])) -> Result<(), Rejection> {
    let value = |name: &str| request.json(&["/", name].concat());
    let url = value("SigningCertURL").ok_or(Rejection::MissingSignedValue)?;
    if !is_of_sns(&url) {
        return Err(Rejection::UntrustedKey { why: "the certificate is not at a region of Amazon SNS" });
    }
    let kind = value("Type").ok_or(Rejection::MissingSignedValue)?;
    let (names, foreign): (_, &[&str]) = match &*kind {
        "Notification" => (NOTIFICATION, &["SubscribeURL", "Token"]),
        "SubscriptionConfirmation" | "UnsubscribeConfirmation" => (SUBSCRIPTION, &["Subject"]),
        _ => return Err(Rejection::MissingSignedValue),
    };
    // What this kind of message does not sign must not be in it, or it would seem to be signed.
    if foreign.iter().any(|name| may_have(request.body(), name)) {
        return Err(Rejection::AmbiguousMessage);
    }
    let topics = request
        .parameter("topic-arn")
        .ok_or(Rejection::Misconfigured { why: "anybody's topics would do without the parameter `topic-arn`" })?;
    let topic = value("TopicArn").ok_or(Rejection::MissingSignedValue)?;
    if !topics.split(',').any(|known| known.trim() == topic) {
        return Err(Rejection::SignatureMismatch);
    }

    for name in names {
        let value = match value(name) {
            Some(value) => value,
            None if *name == "Subject" && !may_have(request.body(), name) => continue,
            None => return Err(Rejection::MissingSignedValue),
        };
        // The message comes first and may hold anything: what follows is told from the end, as each value is one line.
        if *name != "Message" && value.contains('\n') {
            return Err(Rejection::AmbiguousMessage);
        }
        for part in [name, "\n", &*value, "\n"] {
            sink(part.as_bytes());
        }
    }
    Ok(())
}

/// Whether a certificate is at `https://sns.REGION.amazonaws.com/NAME.pem`, or the same in China.
///
/// That there is one label between `sns` and `amazonaws.com` is not enough: what `sns.s3.amazonaws.com` and
/// `sns.s3-us-west-2.amazonaws.com` answer is up to whoever owns the bucket called `sns`.
fn is_of_sns(url: &str) -> bool {
    let parts = url.strip_prefix("https://sns.").and_then(|rest| rest.split_once(".amazonaws.com"));
    let Some((region, rest)) = parts else { return false };
    let file = rest.strip_prefix(".cn").unwrap_or(rest).strip_prefix('/');
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    is_region(region) && file.is_some_and(|file| file.ends_with(".pem") && file.bytes().all(is_plain))
}

/// Names of regions are at least two words of letters and a number: `us-gov-west-1`.
fn is_region(label: &str) -> bool {
    let Some((words, number)) = label.rsplit_once('-') else { return false };
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number && words.contains('-') && words.split('-').all(is_word)
}

/// Whether the object has a member of this name, or one whose name is written with escapes and could be it.
fn may_have(json: &[u8], name: &str) -> bool {
    let (mut at, mut depth, mut text) = (0, 0_usize, &[][..]);
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => {
                let start = at + 1;
                at = start;
                while let Some(byte) = json.get(at).filter(|byte| **byte != b'"') {
                    at += if *byte == b'\\' { 2 } else { 1 };
                }
                text = json.get(start..at).unwrap_or_default();
            }
            b':' if depth == 1 && (text == name.as_bytes() || text.contains(&b'\\')) => return true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_at_regions_of_sns_and_nowhere_else() {
        for url in [
            "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-f3ecfb7224c7233fe7bb5f59f96de52f.pem",
            "https://sns.us-gov-west-1.amazonaws.com/SimpleNotificationService-0a.pem",
            "https://sns.ap-southeast-7.amazonaws.com/SimpleNotificationService-0a.pem",
            "https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-0a.pem",
        ] {
            assert!(is_of_sns(url), "{url}");
        }
        for url in [
            "",
            "https://sns.amazonaws.com/a.pem",
            "https://sns.s3.amazonaws.com/a.pem",
            "https://sns.s3-us-west-2.amazonaws.com/a.pem",
            "https://sns.s3-accelerate.amazonaws.com/a.pem",
            "https://sns.s3.us-west-2.amazonaws.com/a.pem",
            "https://sns.compute-1.amazonaws.com/a.pem",
            "https://sns..amazonaws.com/a.pem",
            "https://sns.us--1.amazonaws.com/a.pem",
            "https://sns.us-west-.amazonaws.com/a.pem",
            "https://sns.us-west-2.amazonaws.com.evil.example/a.pem",
            "https://sns.us-west-2.amazonaws.com.cn.evil.example/a.pem",
            "https://sns.us-west-2.amazonaws.com@evil.example/a.pem",
            "https://sns.us-west-2.amazonaws.com:443/a.pem",
            "https://sns.us-west-2.amazonaws.com/",
            "https://sns.us-west-2.amazonaws.com/?Action=GetEndpointAttributes&a=.pem",
            "https://sns.us-west-2.amazonaws.com/a.pem?b=.pem",
            "https://sns.us-west-2.amazonaws.com/a/b.pem",
            "https://evil.example/https://sns.us-west-2.amazonaws.com/a.pem",
            "http://sns.us-west-2.amazonaws.com/a.pem",
        ] {
            assert!(!is_of_sns(url), "{url}");
        }
    }

    #[test]
    fn members_are_found_however_they_are_written() {
        for (json, found) in [
            (r#"{"Subject":"a"}"#, true),
            (r#"{ "Message" : "b" , "Subject" : null }"#, true),
            (r#"{"Subject":"a","Subject":"b"}"#, true),
            (r#"{"\u0053ubject":"a"}"#, true),
            (r#"{"a":[1,{"b":"]}"}],"Subject":{}}"#, true),
            (r#"{"Message":"Subject"}"#, false),
            (r#"{"Message":"\"Subject\":1"}"#, false),
            (r#"{"Message":"\\","MessageId":"Subject"}"#, false),
            (r#"{"Message":{"Subject":"a"}}"#, false),
            (r#"{"Subject"#, false),
            (r#"{"Subject\"#, false),
            ("", false),
            ("]]}", false),
        ] {
            assert_eq!(may_have(json.as_bytes(), "Subject"), found, "{json}");
        }
    }
}
