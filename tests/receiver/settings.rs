//! What the file may say.

use std::{path::Path, process::Output};

use crate::harness::*;

#[test]
fn settings_that_make_no_sense_are_refused_in_words_that_hold_no_secret() {
    let stripe = |settings: &str| endpoint("/stripe", "stripe", settings);
    let good = |settings: &str| stripe(&format!("{}\n{settings}", keys()));
    let limited = |settings: &str| good(&format!("rate_limit = {{ per_minute = 1 }}\n{settings}"));
    let of_scheme = |scheme: &str| format!("[[endpoint]]\npath = '/acme'\n{}\nscheme = {{ {scheme} }}", keys());
    for (what, endpoints, words) in [
        ("a secret without quotes", stripe(&format!("keys = [{CANARY}]")), &["line 5", "not TOML"][..]),
        ("a quote that is not closed", stripe(&format!("keys = ['{CANARY}]")), &["line 5", "not TOML"]),
        ("nothing to receive", String::new(), &["add an `[[endpoint]]`"]),
        ("one bracket too few", good("").replace("[[endpoint]]", "[endpoint]"), &["`endpoint`", "expected a list"]),
        (
            "an unknown setting",
            good("tolerance = 5"),
            &["endpoint 1 (/stripe)", "unknown field `tolerance`", "`tolerance_secs`"],
        ),
        (
            "a secret in an unknown setting",
            good(&format!("secret = '{CANARY}'")),
            &["endpoint 1", "unknown field `secret`", "`keys`"],
        ),
        ("an unknown part of the handler", good("handler = { code = 200 }"), &["`handler`", "unknown field `code`"]),
        (
            "an unknown part of the rate limit",
            good("rate_limit = { per_hour = 200 }"),
            &["`rate_limit`", "`per_minute`"],
        ),
        ("an unknown top-level setting", "listn = ''\n".to_owned() + &good(""), &["unknown field `listn`", "`listen`"]),
        ("an admin address that is none", "admin = '9090'\n".to_owned() + &good(""), &["`admin`", "127.0.0.1:9090"]),
        ("no keys at all", stripe(""), &["endpoint 1 (/stripe)", "missing field `keys`"]),
        ("a key that is no list", stripe(&format!("keys = '{CANARY}'")), &["`keys`", "expected a list"]),
        (
            "names for other keys",
            stripe("keys = ['a', 'b']\nkey_ids = ['2026-11']"),
            &["endpoint 1 (/stripe)", "`key_ids`", "each of the `keys`"],
        ),
        (
            "a file that is not there",
            stripe("keys = ['file:/nowhere/key']"),
            &["`keys`", "`/nowhere/key`", "cannot be read"],
        ),
        ("keys that nobody publishes", stripe("keys = 'fetch'"), &["`keys`", "`stripe`", "configured"]),
        ("a parameter that is missing", endpoint("/", "paypal", "keys = 'fetch'"), &["`parameters`", "`webhook-id`"]),
        (
            "a parameter that is no text",
            stripe(&format!("{}\nparameters = {{ a = 1 }}", keys())),
            &["`parameters", "expected a string"],
        ),
        ("a key that is no text", stripe("keys = [1234567]"), &["`keys`", "expected a string"]),
        ("an empty list", stripe("keys = []"), &["`keys`", "at least one"]),
        ("an empty secret", stripe("keys = ['']"), &["endpoint 1 (/stripe)", "`keys`", "position 0", "empty"]),
        (
            "a blank one among good ones",
            stripe(&format!("keys = ['{CANARY}', ' ']")),
            &["`keys`", "position 1", "blank"],
        ),
        (
            "the same secret twice",
            stripe(&format!("keys = ['{CANARY}', '{CANARY}']")),
            &["`keys`", "position 1", "same secret"],
        ),
        ("a secret of the wrong form", endpoint("/", "standard-webhooks", &keys()), &["`keys`", "whsec_"]),
        (
            "an unset variable",
            stripe("keys = ['env:RECEIVER_TEST_UNSET']"),
            &["`keys`", "`RECEIVER_TEST_UNSET` is not set"],
        ),
        ("an empty variable", stripe("keys = ['env:RECEIVER_TEST_EMPTY']"), &["`keys`", "position 0", "empty"]),
        (
            "no provider",
            format!("[[endpoint]]\npath = '/x'\n{}", keys()),
            &["endpoint 1 (/x)", "`provider`", "missing"],
        ),
        ("an unknown provider", endpoint("/x", "strpie", &keys()), &["`provider`", "`strpie`", "stripe"]),
        (
            "provider and scheme",
            good("scheme = { name = 'acme', signature = 'x-sig' }"),
            &["`scheme`", "contradicts `provider`"],
        ),
        (
            "an ambiguous scheme",
            of_scheme("name = 'acme', signature = 'x-sig', message = '{header:a}{body}'"),
            &["`scheme`", "apart"],
        ),
        (
            "a secret in a scheme",
            of_scheme(&format!("name = 'acme', signature = 'x-sig', secret = '{CANARY}'")),
            &["unknown field `secret`"],
        ),
        ("the same path twice", good("") + &good(""), &["endpoint 2 (/stripe)", "`path`", "endpoint 1"]),
        ("a path without a slash", endpoint("stripe", "stripe", &keys()), &["`path`", "must start with `/`"]),
        ("a path with a pattern", endpoint("/{any}", "stripe", &keys()), &["`path`"]),
        ("retention without memory", good("replay = 'off'\nretention_secs = 600"), &["`retention_secs`", "leave one"]),
        ("retention that is too short", good("retention_secs = 599"), &["`retention_secs`", "600 or more"]),
        ("a memory that does not exist", good("replay = 'disk'"), &["`replay`", "`memory` or `off`"]),
        (
            "a server that is none",
            good(&format!("replay = 'redis://:{CANARY}@localhost:port'")),
            &["`replay`", "redis://user:password@host"],
        ),
        (
            "limits in a server that is none",
            good(&format!("rate_limit = {{ per_minute = 1, store = 'http://{CANARY}' }}")),
            &["`rate_limit.store`", "`memory`", "redis://localhost"],
        ),
        (
            "a server that the environment does not name",
            good("replay = 'env:RECEIVER_TEST_NOTHING'"),
            &["`replay`", "`RECEIVER_TEST_NOTHING` is not set"],
        ),
        (
            "a tolerance for no time",
            endpoint("/github", "github", &format!("{}\ntolerance_secs = 5", keys())),
            &["`tolerance_secs`", "signs no time"],
        ),
        ("a tolerance of a century", good("tolerance_secs = 3153600000"), &["`tolerance_secs`", "more than a year"]),
        ("a status that is none", good("handler = { status = 99 }"), &["`handler.status`", "200 to 599"]),
        ("a status that ends nothing", good("handler = { status = 101 }"), &["`handler.status`", "200 to 599"]),
        (
            "a status beyond numbers",
            good("handler = { status = 70000 }"),
            &["`handler.status`", "expected a whole number"],
        ),
        ("a limit that lets nothing through", good("rate_limit = { per_minute = 0 }"), &["`rate_limit`", "at least 1"]),
        (
            "proxies that write nobody knows what",
            limited("trusted_proxies = ['10.0.0.0/8']"),
            &["`forwarded`", "missing", "x-forwarded-for"],
        ),
        ("a header that nobody writes", limited("forwarded = 'forwarded'"), &["`trusted_proxies`", "missing"]),
        (
            "proxies for nothing",
            good("trusted_proxies = 1\nforwarded = 'forwarded'"),
            &["`trusted_proxies`", "`rate_limit`"],
        ),
        (
            "proxies for a limit that does not look at addresses",
            good("rate_limit = { per_minute = 1, key = 'sender' }\ntrusted_proxies = 1\nforwarded = 'forwarded'"),
            &["`trusted_proxies`", "by address"],
        ),
        (
            "HTTPS that nobody speaks",
            good("require_https = true"),
            &["`require_https`", "every request", "`trusted_proxies`"],
        ),
        (
            "a verify token that nobody asks for",
            good(&format!("verify_tokens = ['{CANARY}']")),
            &["`verify_tokens`", "leave them out"],
        ),
        (
            "a trial that acts on what it has not proven",
            good("report_only = true\nallow_events = ['a']"),
            &["`report_only`", "`allow_events`"],
        ),
        ("no events", good("allow_events = []"), &["`allow_events`"]),
        ("an event that is none", good("allow_events = ['a*b']"), &["`allow_events`", "`a*b`"]),
        (
            "a schema that is not there",
            good("schema = 'no-such.json'"),
            &["`schema`", "`no-such.json`", "cannot be read"],
        ),
        ("no sources", good("allow_sources = []"), &["`allow_sources`", "none is named"]),
        ("a source that is none", good("allow_sources = ['192.0.2.0/33']"), &["`allow_sources`", "`192.0.2.0/33`"]),
        (
            "failures of those who have none",
            good("rate_limit = { per_minute = 1, key = 'sender', charge = 'failures' }"),
            &["`rate_limit.charge`", "no failures"],
        ),
        (
            "a limit by something else",
            good("rate_limit = { per_minute = 1, key = 'id' }"),
            &["`rate_limit.key`", "`address`", "`sender`"],
        ),
        (
            "a header that is none of the two",
            limited("trusted_proxies = 1\nforwarded = 'x-real-ip'"),
            &["`forwarded`", "`x-forwarded-for`"],
        ),
        (
            "a proxy that is no list",
            limited("trusted_proxies = '10.0.0.0/8'\nforwarded = 'forwarded'"),
            &["`trusted_proxies`", "in square brackets, or a number"],
        ),
        (
            "no proxies",
            limited("trusted_proxies = []\nforwarded = 'forwarded'"),
            &["`trusted_proxies`", "none is named"],
        ),
        (
            "not even one proxy",
            limited("trusted_proxies = 0\nforwarded = 'forwarded'"),
            &["`trusted_proxies`", "none is trusted"],
        ),
        (
            "a network with host bits",
            limited("trusted_proxies = ['10.0.0.5/8']\nforwarded = 'forwarded'"),
            &["endpoint 1 (/stripe)", "`trusted_proxies`", "`10.0.0.5/8`", "bits are set"],
        ),
        ("no room for bodies", good("max_body = 0"), &["`max_body`", "leave it out"]),
        ("less than no room", good("max_body = -1"), &["`max_body`", "expected a whole number"]),
        (
            "a URL that nobody knows",
            endpoint("/square", "square", &keys()),
            &["`public_origin`", "`square` signs the URL", "https://"],
        ),
        ("an origin that is none", good("public_origin = 'hooks.example.com'"), &["`public_origin`", "https://"]),
        (
            "an origin with a path",
            good("public_origin = 'https://hooks.example.com/'"),
            &["`public_origin`", "without a slash"],
        ),
        (
            "two URLs",
            good("public_origin = 'https://a.example'\npublic_url = 'https://a.example/x'"),
            &["`public_url`", "contradicts"],
        ),
    ] {
        refuses(what, &format!("listen = '127.0.0.1:0'\n{endpoints}"), words);
    }
    refuses("an address that is none", &format!("listen = 'localhost'\n{}", good("")), &["`listen`", "127.0.0.1:8080"]);
    let same = format!("listen = '127.0.0.1:8080'\nadmin = '127.0.0.1:8080'\n{}", good(""));
    refuses("admin where strangers are", &same, &["`admin`", "`listen`", "port of its own"]);
    refuses("no address", &good(""), &["missing field `listen`"]);

    let nowhere = run(Path::new("no-such-file.toml")).wait_with_output().unwrap();
    assert_refused("no file", &nowhere, &["no-such-file.toml", "cannot be read"]);
}

fn refuses(what: &str, toml: &str, words: &[&str]) {
    let file = TempFile::new(toml);
    assert_refused(what, &run(&file.0).wait_with_output().unwrap(), words);
}

fn assert_refused(what: &str, output: &Output, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{what}: {said}");
    assert!(output.stdout.is_empty(), "{what}");
    assert!(!said.contains(CANARY) && !said.contains("1234567"), "{what}: {said}");
    assert_eq!(said.lines().count(), 1, "{what}: {said}");
    for word in words {
        assert!(said.contains(word), "{what}: `{word}` is not in: {said}");
    }
}
