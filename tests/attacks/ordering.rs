//! Of several things that are wrong with a request, the answer is about the one that is cheapest to find.

use crate::{
    deliveries::{BODY, Provider, standard_signature},
    server::{Site, assert_is_refusal},
    wire::{Connection, Raw},
};

/// Something wrong with a request, and what the answer to it is if it is all that is.
struct Fault {
    name: &'static str,
    status: u16,
    reason: &'static str,
    spoil: fn(Raw) -> Raw,
}

/// In the order in which they are looked for.
const FAULTS: [Fault; 9] = [
    Fault { name: "method", status: 405, reason: "method_not_allowed", spoil: |request| request.method("PUT") },
    Fault {
        name: "declared size",
        status: 413,
        reason: "body_too_large",
        spoil: |request| request.set("Content-Length", "1048577"),
    },
    Fault {
        name: "content coding",
        status: 415,
        reason: "unsupported_content_coding",
        spoil: |request| request.header("Content-Encoding", "gzip"),
    },
    Fault {
        name: "contradicting families",
        status: 400,
        reason: "conflicting_headers",
        spoil: |request| request.header("svix-id", "msg_2"),
    },
    Fault {
        name: "no signature",
        status: 401,
        reason: "missing_signature",
        spoil: |request| request.without("webhook-signature"),
    },
    Fault {
        name: "malformed id",
        status: 400,
        reason: "malformed_id",
        spoil: |request| request.set("webhook-id", "a.b"),
    },
    Fault {
        name: "stale",
        status: 401,
        reason: "stale",
        spoil: |request| {
            let stale = format!("v1,{}", standard_signature(b"msg_1", b"1700000000", BODY.as_bytes()));
            request.set("webhook-timestamp", "1700000000").set("webhook-signature", stale)
        },
    },
    Fault { name: "broken body", status: 400, reason: "broken_body", spoil: |request| request.framed(&BODY[..10]) },
    Fault {
        name: "wrong signature",
        status: 401,
        reason: "signature_mismatch",
        spoil: |request| {
            let wrong = format!("v1,{}", standard_signature(b"msg_1", b"1800000000", b"another body"));
            request.set("webhook-signature", wrong)
        },
    },
];

#[tokio::test]
async fn the_cheapest_fault_is_the_one_that_is_answered() {
    let fine = || Provider::Standard.base().only_over_http1();
    for (index, first) in FAULTS.iter().enumerate() {
        assert_answer(first.name, first, (first.spoil)(fine())).await;
        for second in &FAULTS[index + 1..] {
            let case = format!("{} and {}", first.name, second.name);
            // The earlier fault last, so that it is there whatever the other one does.
            assert_answer(&case, first, (first.spoil)((second.spoil)(fine()))).await;
        }
    }
}

#[tokio::test]
async fn all_faults_together_are_answered_as_the_first() {
    for (index, first) in FAULTS.iter().enumerate() {
        let faults = FAULTS[index..].iter().rev();
        let request = faults.fold(Provider::Standard.base().only_over_http1(), |request, fault| (fault.spoil)(request));
        assert_answer(&format!("{} and all after it", first.name), first, request).await;
    }
}

async fn assert_answer(case: &str, fault: &Fault, request: Raw) {
    let site = Site::start(Provider::Standard).await;
    let mut connection = Connection::open(site.address).await;
    connection.send(request.bytes()).await;
    connection.finish().await;
    let reply = connection.reply().await.unwrap_or_else(|| panic!("{case}: no answer"));
    assert_eq!((reply.status.as_u16(), site.handler.last_reason()), (fault.status, Some(fault.reason)), "{case}");
    assert_is_refusal(case, &request, &reply);
    assert_eq!((site.calls(), site.nonces.len()), (0, 0), "{case}");
    site.assert_still_serves(case).await;
}
