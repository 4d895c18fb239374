//! Subscriptions of Amazon SNS, which are confirmed by opening a URL.

use std::{
    borrow::Cow,
    future::{Future, poll_fn},
    pin::Pin,
};

use http::{Request, Response, StatusCode, Uri};
use tower_service::Service;

use crate::{
    Delivery, Rejection,
    key::NoBody,
    layer::Refusal,
    scheme::{Pointer, find_in_json},
};

/// The service that opens URLs, whatever its type.
pub(super) trait Confirm: Send + Sync {
    fn confirm(&self, url: Uri) -> Confirming;
}

/// Whether the URL was opened.
pub(super) type Confirming = Pin<Box<dyn Future<Output = bool> + Send>>;

impl<S, B> Confirm for S
where
    S: Service<Request<NoBody>, Response = Response<B>, Future: Send> + Clone + Send + Sync + 'static,
    B: Send + 'static,
{
    fn confirm(&self, url: Uri) -> Confirming {
        let mut client = self.clone();
        Box::pin(async move {
            if poll_fn(|cx| client.poll_ready(cx)).await.is_err() {
                return false;
            }
            let mut request = Request::new(NoBody);
            *request.uri_mut() = url;
            let asked = client.call(request);
            asked.await.is_ok_and(|response| response.status() == StatusCode::OK)
        })
    }
}

pub(super) async fn confirm(confirming: Confirming) -> Refusal {
    match confirming.await {
        true => Refusal::answer(StatusCode::OK, ""),
        false => Rejection::HandshakeUnfinished.into(),
    }
}

/// The URL to open, if the message confirms a subscription.
///
/// # Errors
///
/// If the URL leads anywhere but to the confirmation of that very subscription.
pub(super) fn subscription(delivery: &Delivery, body: &[u8]) -> Result<Option<Uri>, Rejection> {
    // Of other schemes, nothing says that the topic is one of ours.
    if !matches!(delivery.provider(), "aws-sns" | "aws-sns-v1") || delivery.event() != Some("SubscriptionConfirmation")
    {
        return Ok(None);
    }
    let member = |pointer| find_in_json(body, &[Pointer::new(pointer).ok()?]);
    let (Some(url), Some(topic), Some(token)) = (member("/SubscribeURL"), member("/TopicArn"), member("/Token")) else {
        return Err(Rejection::MissingSignedValue);
    };
    confirmation(&url, &topic, &token).map(Some).ok_or(Rejection::UnexpectedHandshake)
}

/// The URL as such, if it confirms this topic by this token, at its region's own host.
fn confirmation(url: &str, topic: &str, token: &str) -> Option<Uri> {
    let parsed: Uri = url.parse().ok()?;
    // As text: a port or a user would lead elsewhere.
    let is_there = parsed.scheme_str() == Some("https") && parsed.authority()?.as_str() == host(topic)?;
    let expected = [("Action", "ConfirmSubscription"), ("TopicArn", topic), ("Token", token)];
    let query = parsed.query()?;
    let mut parameters: Vec<(Cow<'_, str>, Cow<'_, str>)> = form_urlencoded::parse(query.as_bytes()).collect();
    let has_all = expected.iter().all(|(name, value)| {
        let at = parameters.iter().position(|(key, found)| key == name && found == value);
        at.map(|at| parameters.swap_remove(at)).is_some()
    });
    (is_there && parsed.path() == "/" && has_all && parameters.is_empty()).then_some(parsed)
}

/// The host of a topic's region: `arn:aws:sns:us-west-2:123456789012:MyTopic` is at `sns.us-west-2.amazonaws.com`.
fn host(topic: &str) -> Option<String> {
    let mut parts = topic.strip_prefix("arn:")?.split(':');
    let (partition, service, region) = (parts.next()?, parts.next()?, parts.next()?);
    let is_region = region.contains('-') && region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let domain = match partition {
        "aws" | "aws-us-gov" => "amazonaws.com",
        "aws-cn" => "amazonaws.com.cn",
        _ => return None,
    };
    (service == "sns" && is_region).then(|| format!("sns.{region}.{domain}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_opened_but_the_confirmation_of_that_subscription() {
        let topic = "arn:aws:sns:us-west-2:123456789012:MyTopic";
        let query = "Action=ConfirmSubscription&TopicArn=arn:aws:sns:us-west-2:123456789012:MyTopic&Token=2336412f37f";
        let opened = |url: &str| confirmation(url, topic, "2336412f37f").is_some();
        assert!(opened(&format!("https://sns.us-west-2.amazonaws.com/?{query}")));
        assert!(opened(&format!("https://sns.us-west-2.amazonaws.com/?{}", query.replace(':', "%3A"))));
        for url in [
            format!("http://sns.us-west-2.amazonaws.com/?{query}"),
            format!("https://sns.us-east-1.amazonaws.com/?{query}"),
            format!("https://sns.us-west-2.amazonaws.com:8443/?{query}"),
            format!("https://sns.us-west-2.amazonaws.com@evil.example/?{query}"),
            format!("https://evil@sns.us-west-2.amazonaws.com/?{query}"),
            format!("https://sns.us-west-2.amazonaws.com.evil.example/?{query}"),
            format!("https://evil.example/?{query}"),
            format!("https://169.254.169.254/?{query}"),
            format!("https://sns.us-west-2.amazonaws.com/x?{query}"),
            format!("https://sns.us-west-2.amazonaws.com/?{query}&Action=DeleteTopic"),
            format!("https://sns.us-west-2.amazonaws.com/?{query}&AuthenticateOnUnsubscribe=true"),
            format!("https://sns.us-west-2.amazonaws.com/?{}", query.replace("Confirm", "Delete")),
            format!("https://sns.us-west-2.amazonaws.com/?{}", query.replace("MyTopic", "Other")),
            format!("https://sns.us-west-2.amazonaws.com/?{}", query.replace("37f", "000")),
            "https://sns.us-west-2.amazonaws.com/".to_owned(),
            "/".to_owned(),
            String::new(),
        ] {
            assert!(!opened(&url), "{url}");
        }
    }

    #[test]
    fn a_topic_is_at_its_region() {
        for (topic, expected) in [
            ("arn:aws:sns:us-west-2:123456789012:MyTopic", Some("sns.us-west-2.amazonaws.com")),
            ("arn:aws-us-gov:sns:us-gov-west-1:1:T", Some("sns.us-gov-west-1.amazonaws.com")),
            ("arn:aws-cn:sns:cn-north-1:1:T", Some("sns.cn-north-1.amazonaws.com.cn")),
            ("arn:aws:sqs:us-west-2:1:T", None),
            ("arn:evil:sns:us-west-2:1:T", None),
            ("arn:aws:sns:s3.us-west-2:1:T", None),
            ("arn:aws:sns:evil.example/?-:1:T", None),
            ("arn:aws:sns::1:T", None),
            ("", None),
        ] {
            assert_eq!(host(topic).as_deref(), expected, "{topic}");
        }
    }
}
