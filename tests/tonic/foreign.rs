//! What is answered to a client of another make: Python's grpcio.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

use serde::Deserialize;
use serde_json::Value;

use crate::{
    server::{Around, serve},
    support::{MockStore, Operation},
};

/// What it was told.
#[derive(Debug, Deserialize)]
struct Told {
    name: String,
    code: String,
    details: String,
    metadata: serde_json::Map<String, Value>,
    message: Value,
}

/// The interpreter that has grpcio: `TOWER_WEBHOOK_PYTHON`, or else `python3`.
///
/// Where there is none, the test says so and is skipped, except under CI.
fn python() -> Option<String> {
    let python = env::var("TOWER_WEBHOOK_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let found = Command::new(&python).args(["-c", "import grpc"]).stderr(Stdio::null()).status();
    if found.is_ok_and(|status| status.success()) {
        return Some(python);
    }
    assert!(env::var_os("CI").is_none(), "`{python}` has no grpcio, which CI must have");
    println!("skipped: `{python}` has no grpcio (`pip install grpcio`, and TOWER_WEBHOOK_PYTHON)");
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_another_make_is_answered_as_it_expects() {
    let Some(python) = python() else { return };
    let store = MockStore::new(Default::default());
    // The first two calls find the store gone.
    let failing = store.clone().reserving(Operation { failures: 2, ..Operation::default() });
    let server = serve!(Around::TheServer, |builder| builder.replay(failing.clone()).build());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tonic/client.py");
    let mut client = Command::new(python);
    let mut client = client
        .args([script, &server.address.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = client.stdin.take().unwrap();
    let lines = BufReader::new(client.stdout.take().unwrap()).lines();
    let (calls, go_on) = (server.notify.calls.clone(), server.notify.go_on.clone());
    let told = tokio::task::spawn_blocking(move || {
        let mut told = Vec::new();
        for line in lines {
            let one: Told = serde_json::from_str(&line.unwrap()).unwrap();
            let handled = calls.count();
            match one.name.as_str() {
                "both stream" => {
                    while calls.count() < 7 {
                        std::thread::yield_now();
                    }
                    writeln!(stdin).unwrap();
                }
                "in progress" => go_on.notify_one(),
                _ => {}
            }
            // The one that waits has come, but is told of last.
            told.push((one, handled));
        }
        told
    });
    let told = told.await.unwrap();
    assert!(client.wait().unwrap().success());

    const STREAMS: &str = "streaming_unsupported: this endpoint takes calls with a single request message";
    let hex = |text: &str| {
        let length = u8::try_from(text.len()).unwrap();
        Value::from(base16ct::lower::encode_string(&[&[0x0a, length], text.as_bytes()].concat()))
    };
    // The status, the words, when to come again, the message, and how many calls the handler has had.
    let expected = [
        ("the store failed", "UNAVAILABLE", "unavailable", Some("1000"), Value::Null, 0),
        ("tried again by itself", "OK", "", None, hex("ok by msg_again"), 1),
        ("genuine", "OK", "", None, hex("ok by msg_py"), 2),
        ("replayed", "OK", "", None, Value::from(""), 2),
        ("forged", "UNAUTHENTICATED", "unauthenticated", Some("-1"), Value::Null, 2),
        ("another key", "UNAUTHENTICATED", "unauthenticated", Some("-1"), Value::Null, 2),
        ("stale", "UNAUTHENTICATED", "unauthenticated", Some("-1"), Value::Null, 2),
        ("unsigned", "UNAUTHENTICATED", "unauthenticated", Some("-1"), Value::Null, 2),
        ("in binary metadata", "UNAUTHENTICATED", "unauthenticated", Some("-1"), Value::Null, 2),
        ("oversized", "RESOURCE_EXHAUSTED", "body_too_large", Some("-1"), Value::Null, 2),
        ("streamed answer", "OK", "", None, Value::from_iter(["message 0", "message 1", "message 2"].map(hex)), 3),
        ("failed in the trailers", "INTERNAL", "too late", None, Value::Null, 4),
        ("failed", "INTERNAL", "the handler failed", None, Value::Null, 5),
        ("tried again after it failed", "OK", "", None, hex("ok by msg_fail"), 6),
        ("client streams", "UNIMPLEMENTED", STREAMS, Some("-1"), Value::Null, 6),
        ("both stream", "UNIMPLEMENTED", STREAMS, Some("-1"), Value::Null, 6),
        ("in progress", "UNAVAILABLE", "delivery_in_progress", Some("40000"), Value::Null, 7),
        ("handled meanwhile", "OK", "", None, hex("wait by msg_wait"), 7),
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for ((told, calls), (name, code, details, pushback, message, handled)) in told.iter().zip(expected) {
        assert_eq!((told.name.as_str(), told.code.as_str(), told.details.as_str()), (name, code, details), "{told:?}");
        let told_pushback = told.metadata.get("grpc-retry-pushback-ms").and_then(Value::as_str);
        match name {
            // The lease has begun a moment before; stores round up to the next millisecond.
            "in progress" => {
                assert!(told_pushback.is_some_and(|wait| wait.parse::<u64>().unwrap() <= 40_001), "{told:?}")
            }
            _ => assert_eq!(told_pushback, pushback, "{told:?}"),
        }
        assert_eq!((&told.message, *calls), (&message, handled), "{told:?}");
    }
}
