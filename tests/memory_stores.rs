//! What only the stores in memory promise: how much they hold, what they do when that is taken, and in how many bytes.

mod support;

use std::{collections::HashMap, net::Ipv4Addr, time::Duration};

use proptest::prelude::*;
use support::{clock, now, secs};
use tokio::task::JoinSet;
use tower_webhook::{
    clock::{ManualClock, UnixTime},
    store::{
        Charge, MemoryNonceStore, MemoryRateStore, NonceStore, Quota, Quotas, RateKey, RateStore, ReplayKey, Reserved,
        Standing, StoreError, Token, Verdict,
    },
};

mod nonces {
    use super::*;

    #[test]
    fn memory_holds_exactly_its_capacity() {
        for capacity in [0, 1, 2, 64, 100, 1000, 20_000] {
            let (store, clock) = nonces(capacity);
            let reserve = |id| now(store.reserve(key(id), Token::unique(), secs(10)));
            for id in 0..capacity {
                assert_eq!(reserve(id), Ok(Reserved::Fresh), "{id} of {capacity}");
            }
            assert_eq!(reserve(capacity), Err(StoreError::Full), "{capacity}");
            assert_eq!(store.len(), capacity);
            for id in 0..capacity {
                assert_eq!(reserve(id), Ok(in_progress(10_000)), "{id} of {capacity} was forgotten");
            }
            clock.advance(secs(10));
            for id in capacity..2 * capacity {
                let token = Token::unique();
                let reserved = now(store.reserve(key(id), token, secs(10)));
                assert_eq!(reserved, Ok(Reserved::Fresh), "what has expired makes room");
                now(store.commit(key(id), token, secs(10))).unwrap();
            }
            assert_eq!(reserve(2 * capacity), Err(StoreError::Full), "{capacity}");
            assert_eq!(store.len(), capacity);
            for id in capacity..2 * capacity {
                assert_eq!(reserve(id), Ok(Reserved::Done), "{id} of {capacity} was forgotten");
            }
        }
    }

    #[test]
    fn what_is_done_is_not_forgotten_to_make_room_before_its_time() {
        for half in [50, 5000] {
            let (store, clock) = nonces(2 * half);
            for id in 0..2 * half {
                finish(&store, id, secs(if id < half { 60 } else { 120 }));
            }
            assert_eq!(now(store.reserve(key(2 * half), Token::unique(), secs(10))), Err(StoreError::Full));
            clock.advance(secs(60));
            for id in 2 * half..3 * half {
                assert_eq!(now(store.reserve(key(id), Token::unique(), secs(600))), Ok(Reserved::Fresh), "{id}");
            }
            assert_eq!(now(store.reserve(key(3 * half), Token::unique(), secs(10))), Err(StoreError::Full));
            for id in half..2 * half {
                assert_eq!(now(store.reserve(key(id), Token::unique(), secs(10))), Ok(Reserved::Done), "{id}");
            }
        }
    }

    #[test]
    fn a_late_commit_finds_no_room_in_a_full_store_and_says_so() {
        let (store, clock) = nonces(1);
        let late = Token::unique();
        now(store.reserve(key(1), late, secs(10))).unwrap();
        clock.advance(secs(11));
        now(store.reserve(key(2), Token::unique(), secs(10))).unwrap();
        assert_eq!(now(store.commit(key(1), late, secs(60))), Err(StoreError::Full));
        assert_eq!(store.len(), 1);
    }

    #[test]
    fn an_end_returns_what_a_beginning_took() {
        let (store, clock) = nonces(10_000);
        for round in 0..3 {
            let tokens: Vec<_> = (0..1000).map(|_| Token::unique()).collect();
            for (id, token) in tokens.iter().enumerate() {
                now(store.reserve(key(id), *token, secs(10))).unwrap();
            }
            assert_eq!(store.len(), 1000, "round {round}");
            for (id, token) in tokens.iter().enumerate() {
                match id % 3 {
                    0 => now(store.release(key(id), *token)).unwrap(),
                    1 => now(store.commit(key(id), *token, secs(60))).unwrap(),
                    // Nobody ends it but time.
                    _ => {}
                }
            }
            clock.advance(secs(61));
            for id in 0..1000 {
                let token = Token::unique();
                now(store.reserve(key(id), token, secs(10))).unwrap();
                now(store.release(key(id), token)).unwrap();
            }
            assert!(store.is_empty(), "round {round}: {}", store.len());
        }
    }

    #[test]
    fn what_has_expired_is_forgotten_as_new_ones_come() {
        let (store, clock) = nonces(100_000);
        for id in 0..100_000 {
            // At any moment a tenth of the capacity is live.
            finish(&store, id, secs(10));
            clock.advance(Duration::from_millis(1));
        }
        assert!((10_000..11_500).contains(&store.len()), "{}", store.len());
    }

    #[test]
    fn leases_that_nobody_ended_are_forgotten_as_new_ones_come() {
        let (store, clock) = nonces(100_000);
        let counted = allocation_counter::measure(|| {
            for id in 0..50_000 {
                now(store.reserve(key(id), Token::unique(), secs(1))).unwrap();
                clock.advance(Duration::from_millis(1));
            }
        });
        assert!(store.len() < 4000, "{}", store.len());
        assert!(counted.bytes_max < 1_000_000, "{} bytes", counted.bytes_max);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn memory_is_never_over_its_capacity_and_never_loses_count() {
        let (store, clock) = nonces(500);
        let mut tasks = JoinSet::new();
        for task in 0..8 {
            let (store, clock) = (store.clone(), clock.clone());
            tasks.spawn(async move {
                let mut full = 0;
                for id in 0..2000 {
                    let (key, token) = (key(task * 1000 + id), Token::unique());
                    match store.reserve(key, token, secs(1)).await {
                        Err(StoreError::Full) => full += 1,
                        Ok(Reserved::Fresh) if id % 2 == 0 => store.release(key, token).await.unwrap(),
                        // Too late, if another task has advanced the clock and taken the room meanwhile.
                        Ok(Reserved::Fresh) if id % 3 == 0 => {
                            full += usize::from(store.commit(key, token, secs(2)).await == Err(StoreError::Full));
                        }
                        _ => {}
                    }
                    assert!(store.len() <= 500, "{}", store.len());
                    if id % 500 == 0 {
                        clock.advance(secs(1));
                    }
                }
                full
            });
        }
        let full: usize = tasks.join_all().await.into_iter().sum();
        assert!(full > 0, "nothing was ever full");

        clock.advance(secs(10));
        for id in 0..500 {
            assert_eq!(store.reserve(key(20_000 + id), Token::unique(), secs(1)).await, Ok(Reserved::Fresh), "{id}");
        }
        assert_eq!(store.len(), 500, "the count has drifted");
    }

    #[test]
    fn memory_is_taken_as_deliveries_come_and_is_bounded() {
        const CAPACITY: usize = 100_000;
        let mut unused = None;
        let counted = allocation_counter::measure(|| unused = Some(MemoryNonceStore::with_capacity(1_000_000)));
        assert!(counted.bytes_max < 16 * 1024, "an unused store takes {} bytes", counted.bytes_max);

        let (store, _) = nonces(CAPACITY);
        let keys: Vec<_> = (0..2 * CAPACITY).map(key).collect();
        let mut refused = 0;
        let counted = allocation_counter::measure(|| {
            for key in &keys {
                let token = Token::unique();
                match now(store.reserve(*key, token, secs(10))) {
                    Ok(_) => now(store.commit(*key, token, secs(1000))).unwrap(),
                    Err(error) => refused += usize::from(error == StoreError::Full),
                }
            }
        });
        assert_eq!((store.len(), refused), (CAPACITY, CAPACITY));
        let each = counted.bytes_max / CAPACITY as u64;
        assert!(each <= 28, "{each} bytes an entry");
    }

    #[tokio::test]
    async fn a_step_of_the_wall_clock_forgets_nothing_and_locks_nobody_out() {
        for wall in WALLS {
            let (store, clock) = nonces(10);
            let (held, done) = (Token::unique(), Token::unique());
            let state = async |id| {
                let token = Token::unique();
                let state = store.reserve(key(id), token, secs(1)).await.unwrap();
                store.release(key(id), token).await.unwrap();
                state
            };
            store.reserve(key(1), held, secs(10)).await.unwrap();
            store.reserve(key(2), done, secs(10)).await.unwrap();
            store.commit(key(2), done, secs(60)).await.unwrap();
            clock.set(UnixTime::from_secs(wall));
            assert_eq!(state(1).await, in_progress(10_000), "{wall}");
            assert_eq!(state(2).await, Reserved::Done, "{wall}");
            clock.advance(secs(60));
            assert_eq!(state(1).await, Reserved::Fresh, "{wall}");
            assert_eq!(state(2).await, Reserved::Fresh, "{wall}");
        }
    }

    proptest! {
        #![proptest_config(support::property())]
        #[test]
        fn a_store_of_any_size_agrees_with_the_model(
            capacity in 0_usize..600,
            steps in prop::collection::vec((0_u8..10, 0_usize..700, 0_usize..3, 0_u64..20), 1..1500),
        ) {
            let (store, clock) = nonces(capacity);
            let tokens = [Token::unique(), Token::unique(), Token::unique()];
            let mut model = Model { capacity, ..Model::default() };
            for (step, id, token, time) in steps {
                match step {
                    0..6 => {
                        let answer = now(store.reserve(key(id), tokens[token], secs(time)));
                        prop_assert_eq!(answer, model.reserve(id, token, time));
                    }
                    6..8 => {
                        let answer = now(store.commit(key(id), tokens[token], secs(time * 10)));
                        prop_assert_eq!(answer, model.commit(id, token, time * 10));
                    }
                    8 => {
                        now(store.release(key(id), tokens[token])).unwrap();
                        model.held.retain(|held, (holder, _)| *held != id || *holder != token);
                    }
                    _ => {
                        model.now += time;
                        clock.advance(secs(time));
                    }
                }
                prop_assert!(store.len() <= capacity && store.len() >= model.live());
            }
        }
    }

    /// In seconds, and with what the suite for all stores cannot know: when it is full.
    #[derive(Default)]
    struct Model {
        capacity: usize,
        now: u64,
        held: HashMap<usize, (usize, u64)>,
        done: HashMap<usize, u64>,
    }

    impl Model {
        fn live(&self) -> usize {
            let held = self.held.values().filter(|(_, until)| *until > self.now).count();
            held + self.done.values().filter(|until| **until > self.now).count()
        }

        fn holder(&self, id: usize) -> Option<(usize, u64)> {
            self.held.get(&id).copied().filter(|(_, until)| *until > self.now)
        }

        fn is_done(&self, id: usize) -> bool {
            self.done.get(&id).is_some_and(|until| *until > self.now)
        }

        fn reserve(&mut self, id: usize, token: usize, lease: u64) -> Result<Reserved, StoreError> {
            match self.holder(id) {
                _ if self.is_done(id) => return Ok(Reserved::Done),
                Some((holder, until)) if holder != token => return Ok(in_progress((until - self.now) * 1000)),
                None if self.live() == self.capacity => return Err(StoreError::Full),
                _ => {}
            }
            self.held.insert(id, (token, self.now + lease));
            Ok(Reserved::Fresh)
        }

        fn commit(&mut self, id: usize, token: usize, retention: u64) -> Result<(), StoreError> {
            match self.holder(id) {
                _ if self.is_done(id) => return Ok(()),
                Some((holder, _)) if holder != token => return Ok(()),
                None if self.live() == self.capacity => return Err(StoreError::Full),
                _ => {}
            }
            self.held.remove(&id);
            self.done.insert(id, self.now + retention);
            Ok(())
        }
    }

    fn nonces(capacity: usize) -> (MemoryNonceStore, ManualClock) {
        let clock = clock();
        (MemoryNonceStore::with_capacity(capacity).with_clock(clock.clone()), clock)
    }

    fn finish(store: &MemoryNonceStore, id: usize, retention: Duration) {
        let token = Token::unique();
        assert_eq!(now(store.reserve(key(id), token, secs(10))), Ok(Reserved::Fresh), "{id}");
        now(store.commit(key(id), token, retention)).unwrap();
    }

    fn key(id: usize) -> ReplayKey {
        ReplayKey::of([&id.to_be_bytes()[..]])
    }

    fn in_progress(millis: u64) -> Reserved {
        Reserved::InProgress { retry_after: Duration::from_millis(millis) }
    }
}

mod rates {
    use super::*;

    #[test]
    fn ten_million_addresses_leave_memory_bounded() {
        const CAPACITY: usize = 100_000;
        let (store, _) = rates(CAPACITY);
        let quotas = Quotas::from(Quota::per_minute(60));
        let mut allowed = 0;
        let counted = allocation_counter::measure(|| {
            for address in 0..10_000_000 {
                let key = RateKey::address(Ipv4Addr::from_bits(address).into());
                allowed += usize::from(now(store.check(key, &quotas, Charge::Debit(1))).unwrap().is_allowed());
            }
        });
        assert_eq!(allowed, 10_000_000, "somebody was refused for what others sent");
        assert!((CAPACITY * 99 / 100..=CAPACITY).contains(&store.len()), "{}", store.len());
        let each = counted.bytes_max / CAPACITY as u64;
        assert!(each <= 28, "{each} bytes an account");
    }

    #[test]
    fn who_used_the_least_makes_room() {
        let (store, _) = rates(8);
        let quotas = Quotas::from(Quota::per_minute(60));
        for sender in 1..=8 {
            charge(&store, sender, &quotas, Charge::Debit(sender));
        }
        for (newcomer, evicted) in [(9, 1), (10, 2), (11, 3)] {
            charge(&store, newcomer, &quotas, Charge::Debit(20));
            for sender in 1..=8 {
                let used = if sender <= evicted { 0 } else { sender };
                let standing = charge(&store, sender, &quotas, Charge::Nothing);
                assert_eq!(standing.full_in[0], secs(used.into()), "{sender} after {newcomer}");
            }
            assert_eq!(store.len(), 8);
        }
    }

    #[test]
    fn the_accounts_of_one_sender_make_no_room_for_each_other() {
        let (store, _) = rates(8);
        let quotas = Quotas::from([60, 50, 40, 30].map(Quota::per_minute));
        for sender in [1, 2] {
            charge(&store, sender, &quotas, Charge::Debit(20));
        }
        let before = charge(&store, 3, &quotas, Charge::IfAllowed(1));
        assert_eq!(charge(&store, 3, &quotas, Charge::Nothing), before);
        assert!(before.full_in.iter().all(|full_in| !full_in.is_zero()));
        assert_eq!(store.len(), 8);
    }

    #[test]
    fn a_question_and_a_refusal_take_no_room() {
        let (store, _) = rates(100);
        for quota in [Quota::per_minute(60), Quota::per_second(0), Quota::per_hour(7).allow_burst(0)] {
            charge(&store, 1, &quota.into(), Charge::Nothing);
            charge(&store, 2, &quota.into(), Charge::Refund(5));
            let is_nothing = !charge(&store, 3, &quota.into(), Charge::Nothing).is_allowed();
            if is_nothing {
                charge(&store, 3, &quota.into(), Charge::IfAllowed(1));
            }
            assert_eq!(store.len(), 0, "{quota:?}");
        }
    }

    #[test]
    fn an_account_that_is_whole_again_is_forgotten() {
        let (store, clock) = rates(1000);
        let quotas = Quotas::from([Quota::per_second(2), Quota::per_minute(6)]);
        for sender in 0..50 {
            charge(&store, sender, &quotas, Charge::IfAllowed(2));
        }
        for (wait, left) in [(0, 100), (1, 50), (18, 50), (1, 0)] {
            clock.advance(secs(wait));
            assert_eq!(store.len(), left);
        }
    }

    #[test]
    fn memory_is_taken_as_senders_come() {
        let mut unused = None;
        let counted = allocation_counter::measure(|| unused = Some(MemoryRateStore::with_capacity(1_000_000)));
        assert!(counted.bytes_max < 16 * 1024, "an unused store takes {} bytes", counted.bytes_max);
    }

    #[test]
    fn a_store_for_nobody_limits_nonetheless() {
        let (store, _) = rates(0);
        let quotas = Quotas::from(Quota::per_minute(3));
        let allowed = (0..10).filter(|_| charge(&store, 1, &quotas, Charge::IfAllowed(1)).is_allowed()).count();
        assert_eq!(allowed, 3);
    }

    #[test]
    fn a_step_of_the_wall_clock_neither_gives_nor_takes() {
        for wall in WALLS {
            let (store, clock) = rates(10);
            let quotas = Quotas::from(Quota::per_minute(60).allow_burst(5));
            let check = || charge(&store, 1, &quotas, Charge::IfAllowed(1)).verdict;
            assert_eq!((0..100).filter(|_| check() == Verdict::Allowed).count(), 5);
            clock.set(UnixTime::from_secs(wall));
            assert_eq!(check(), Verdict::Limited { retry_after: secs(1) }, "{wall}");
            clock.advance(secs(1));
            assert_eq!(check(), Verdict::Allowed, "{wall}");
        }
    }

    proptest! {
        #![proptest_config(support::property())]
        #[test]
        fn with_room_each_sender_has_accounts_of_its_own(
            rates_and_bursts in prop::array::uniform4((1_u32..50, 0_u32..20)),
            count in 1_usize..=4,
            steps in prop::collection::vec((0_u32..300, charges(), 0_u64..400), 1..500),
        ) {
            let (store, clock) = rates(100_000);
            let all = rates_and_bursts.map(|(rate, burst)| Quota::per_second(rate).allow_burst(burst));
            let quotas = match count {
                1 => all[0].into(),
                2 => [all[0], all[1]].into(),
                3 => [all[0], all[1], all[2]].into(),
                _ => Quotas::from(all),
            };
            let mut accounts = HashMap::<_, [u64; Quotas::MOST]>::new();
            let mut passed = 0;
            for (sender, charged, wait) in steps {
                clock.advance(Duration::from_millis(wait));
                passed += wait * 1_000_000;
                let expected = quotas.settle(accounts.entry(sender).or_default(), passed, charged);
                prop_assert_eq!(charge(&store, sender, &quotas, charged), expected);
            }
        }

        #[test]
        fn without_room_nobody_is_worse_off(
            capacity in 0_usize..100,
            steps in prop::collection::vec((0_u32..300, charges(), 0_u64..100), 1..1000),
        ) {
            let (store, clock) = rates(capacity);
            let quotas = Quotas::from([Quota::per_second(2).allow_burst(20), Quota::per_minute(60)]);
            let mut accounts = HashMap::<_, [u64; Quotas::MOST]>::new();
            let mut passed = 0;
            for (sender, charged, wait) in steps {
                // What is charged must not depend on what is left, or the two accounts could not be compared.
                let charged = match charged {
                    Charge::IfAllowed(requests) => Charge::Debit(requests),
                    charged => charged,
                };
                clock.advance(Duration::from_millis(wait));
                passed += wait * 1_000_000;
                let alone = quotas.settle(accounts.entry(sender).or_default(), passed, charged);
                let among_others = charge(&store, sender, &quotas, charged);
                prop_assert!(among_others.is_allowed() || !alone.is_allowed());
                prop_assert!(among_others.full_in.iter().zip(alone.full_in).all(|(among, alone)| *among <= alone));
                prop_assert!(store.len() <= capacity.max(8), "{}", store.len());
            }
        }
    }

    fn charges() -> impl Strategy<Value = Charge> {
        prop_oneof![
            4 => (0_u32..5).prop_map(Charge::IfAllowed),
            2 => (0_u32..5).prop_map(Charge::Debit),
            1 => (0_u32..5).prop_map(Charge::Refund),
            1 => Just(Charge::Nothing),
        ]
    }

    fn charge(store: &MemoryRateStore, sender: u32, quotas: &Quotas, charge: Charge) -> Standing {
        let key = RateKey::address(Ipv4Addr::from_bits(sender).into());
        now(store.check(key, quotas, charge)).unwrap()
    }

    fn rates(capacity: usize) -> (MemoryRateStore, ManualClock) {
        let clock = clock();
        (MemoryRateStore::with_capacity(capacity).with_clock(clock.clone()), clock)
    }
}

#[test]
fn tokens_are_never_the_same() {
    let threads: Vec<_> =
        (0..4).map(|_| std::thread::spawn(|| (0..1000).map(|_| Token::unique()).collect::<Vec<_>>())).collect();
    let tokens: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    let distinct: std::collections::HashSet<_> = tokens.iter().collect();
    assert_eq!(distinct.len(), tokens.len());
}

const WALLS: [u64; 4] = [0, support::NOW - 86_400, support::NOW + 86_400, support::NOW * 10];
