//! The stores in memory, in every order in which threads may meet in them.
//!
//! `RUSTFLAGS="--cfg tower_webhook_loom" cargo test --manifest-path tests/model/Cargo.toml --target-dir target/model`

#![cfg(all(test, tower_webhook_loom))]

use std::{
    future::{Future, Ready},
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use loom::thread;
use tower_webhook::{
    clock::{ManualClock, UnixTime},
    store::{
        Charge, MemoryNonceStore, MemoryRateStore, NonceStore, Quota, Quotas, RateKey, RateStore, ReplayKey, Reserved,
        StoreError, Token,
    },
};

#[test]
fn of_three_reservations_one_is_fresh() {
    check(|| {
        let (store, _) = nonces(10);
        let fresh = together([1, 1, 1].map(|id| {
            let store = store.clone();
            move || reserve(&store, id, Token::unique(), 10) == Ok(Reserved::Fresh)
        }));
        assert_eq!(fresh.into_iter().filter(|fresh| *fresh).count(), 1);
        assert_eq!(store.len(), 1);
    });
}

#[test]
fn of_handlers_that_succeed_or_fail_one_succeeds() {
    check(|| {
        let (store, clock) = nonces(10);
        let succeeded = together([true, false, true].map(|succeeds| {
            let store = store.clone();
            move || {
                let token = Token::unique();
                if reserve(&store, 1, token, 10) != Ok(Reserved::Fresh) {
                    return false;
                }
                if succeeds {
                    commit(&store, 1, token, 100).unwrap();
                } else {
                    release(&store, 1, token);
                }
                succeeds
            }
        }));
        let succeeded = succeeded.into_iter().filter(|success| *success).count();
        let expected = if succeeded == 1 { Reserved::Done } else { Reserved::Fresh };
        assert!(succeeded <= 1);
        assert_eq!(store.len(), succeeded);
        assert_eq!(state(&store, 1), expected);
        clock.advance(Duration::from_secs(99));
        assert_eq!(state(&store, 1), expected, "nothing is forgotten before its time");
        clock.advance(Duration::from_secs(1));
        assert_eq!(state(&store, 1), Reserved::Fresh);
        assert!(store.is_empty(), "{}", store.len());
    });
}

#[test]
fn a_late_end_changes_nothing_for_a_newer_holder() {
    for commits_late in [true, false] {
        check(move || {
            let (store, clock) = nonces(10);
            let (late, newer) = (Token::unique(), Token::unique());
            assert_eq!(reserve(&store, 1, late, 10), Ok(Reserved::Fresh));
            let answers = together([
                Box::new({
                    let store = store.clone();
                    move || {
                        if commits_late {
                            commit(&store, 1, late, 100).unwrap();
                        } else {
                            release(&store, 1, late);
                        }
                        Ok(Reserved::Done)
                    }
                }) as Box<dyn FnOnce() -> _ + Send>,
                Box::new({
                    let (store, clock) = (store.clone(), clock.clone());
                    move || {
                        clock.advance(Duration::from_secs(10));
                        let answer = reserve(&store, 1, newer, 10);
                        if answer == Ok(Reserved::Fresh) {
                            // Whatever the late one did, this one has it now.
                            assert!(matches!(reserve(&store, 1, Token::unique(), 10), Ok(Reserved::InProgress { .. })));
                        }
                        answer
                    }
                }),
            ]);
            if answers[1] == Ok(Reserved::Fresh) {
                assert_eq!(state(&store, 1), Reserved::InProgress { retry_after: Duration::from_secs(10) });
                release(&store, 1, newer);
                assert!(store.is_empty(), "{}", store.len());
            } else {
                assert!(commits_late);
                assert_eq!(state(&store, 1), Reserved::Done);
            }
        });
    }
}

#[test]
fn a_release_frees_only_ones_own() {
    check(|| {
        let (store, _) = nonces(10);
        let (ours, theirs) = (Token::unique(), Token::unique());
        assert_eq!(reserve(&store, 1, ours, 10), Ok(Reserved::Fresh));
        together([theirs, theirs].map(|token| {
            let store = store.clone();
            move || {
                release(&store, 1, token);
                assert!(matches!(reserve(&store, 1, token, 10), Ok(Reserved::InProgress { .. })));
            }
        }));
        assert_eq!(store.len(), 1);
        release(&store, 1, ours);
        assert!(store.is_empty());
    });
}

#[test]
fn it_is_never_over_its_capacity_and_comes_back_to_nothing() {
    check(|| {
        let (store, _) = nonces(2);
        let held = together([1, 2, 3].map(|id| {
            let store = store.clone();
            move || {
                let token = Token::unique();
                let answer = reserve(&store, id, token, 10);
                assert!(store.len() <= 2, "{}", store.len());
                match answer {
                    Ok(Reserved::Fresh) => Some((id, token)),
                    answer => {
                        assert_eq!(answer, Err(StoreError::Full));
                        None
                    }
                }
            }
        }));
        assert_eq!(held.iter().flatten().count(), 2);
        held.into_iter().flatten().for_each(|(id, token)| release(&store, id, token));
        assert!(store.is_empty(), "{}", store.len());
    });
}

#[test]
fn who_gives_up_makes_room_and_takes_nobody_elses() {
    check(|| {
        let (store, _) = nonces(1);
        let ends = together([1, 2, 2].map(|id| {
            let store = store.clone();
            move || {
                let token = Token::unique();
                let answer = reserve(&store, id, token, 10);
                assert!(store.len() <= 1, "{}", store.len());
                release(&store, id, token);
                answer
            }
        }));
        assert!(ends.contains(&Ok(Reserved::Fresh)));
        assert!(store.is_empty(), "{}", store.len());
        assert_eq!(reserve(&store, 3, Token::unique(), 10), Ok(Reserved::Fresh));
    });
}

#[test]
fn what_expires_makes_room_once_while_others_reserve() {
    check(|| {
        let (store, clock) = nonces(2);
        let done = Token::unique();
        assert_eq!(reserve(&store, 1, done, 10), Ok(Reserved::Fresh));
        commit(&store, 1, done, 20).unwrap();
        assert_eq!(reserve(&store, 2, Token::unique(), 20), Ok(Reserved::Fresh));
        clock.advance(Duration::from_secs(20));
        together([3, 4, 5].map(|id| {
            let store = store.clone();
            move || {
                let _ = reserve(&store, id, Token::unique(), 10);
                assert!(store.len() <= 2, "{}", store.len());
            }
        }));
        let is_held = |id| matches!(reserve(&store, id, Token::unique(), 0), Ok(Reserved::InProgress { .. }));
        let held = [3, 4, 5].into_iter().filter(|id| is_held(*id)).count();
        assert!((1..=2).contains(&held), "{held}");
        clock.advance(Duration::from_secs(10));
        for id in [6, 7] {
            assert_eq!(reserve(&store, id, Token::unique(), 10), Ok(Reserved::Fresh), "the count has drifted");
        }
        assert_eq!(store.len(), 2);
    });
}

#[test]
fn of_three_requests_the_burst_passes() {
    check(|| {
        let clock = clock();
        let store = MemoryRateStore::with_capacity(16).with_clock(clock);
        let allowed = together([1, 1, 1].map(|sender| {
            let store = store.clone();
            move || {
                let quotas = Quotas::from([Quota::per_minute(2), Quota::per_hour(10)]);
                let key = RateKey::of([&[sender][..]]);
                now(store.check(key, &quotas, Charge::IfAllowed(1))).unwrap().is_allowed()
            }
        }));
        assert_eq!(allowed.into_iter().filter(|allowed| *allowed).count(), 2);
    });
}

fn check(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    // Without a bound, those about a full store take minutes.
    builder.preemption_bound = Some(3);
    builder.check(model);
}

fn together<T: 'static, F: FnOnce() -> T + Send + 'static, const N: usize>(all: [F; N]) -> [T; N] {
    all.map(thread::spawn).map(|thread| thread.join().unwrap())
}

fn nonces(capacity: usize) -> (MemoryNonceStore, ManualClock) {
    let clock = clock();
    (MemoryNonceStore::with_capacity(capacity).with_clock(clock.clone()), clock)
}

fn clock() -> ManualClock {
    ManualClock::at(UnixTime::from_secs(1_800_000_000))
}

fn reserve(store: &MemoryNonceStore, id: u8, token: Token, lease: u64) -> Result<Reserved, StoreError> {
    now(store.reserve(key(id), token, Duration::from_secs(lease)))
}

fn commit(store: &MemoryNonceStore, id: u8, token: Token, retention: u64) -> Result<(), StoreError> {
    now(store.commit(key(id), token, Duration::from_secs(retention)))
}

fn release(store: &MemoryNonceStore, id: u8, token: Token) {
    now(store.release(key(id), token)).unwrap();
}

/// What somebody new is answered, without leaving a trace.
fn state(store: &MemoryNonceStore, id: u8) -> Reserved {
    let token = Token::unique();
    let state = reserve(store, id, token, 1).unwrap();
    release(store, id, token);
    state
}

fn key(id: u8) -> ReplayKey {
    ReplayKey::of([&[id][..]])
}

fn now<T>(mut answer: Ready<T>) -> T {
    match Pin::new(&mut answer).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => unreachable!("it is ready"),
    }
}
