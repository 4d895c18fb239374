//! A stack in an unsafe order does not compile, and the compiler says what to do.

#![cfg(feature = "axum")]

#[test]
fn unsafe_orders_do_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
