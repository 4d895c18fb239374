//! Stores in memory beside other designs: time at different sizes, on one thread and on two; then bytes, pauses, and what they let through.
//!
//! `cargo bench --bench stores`, or with `-- table` the tables alone.

#[path = "stores/nonces.rs"]
mod nonces;
#[path = "stores/rates.rs"]
mod rates;

use std::{
    hint::black_box,
    thread,
    time::{Duration, Instant},
};

use criterion::Criterion;

const SIZES: [usize; 3] = [1, 100_000, 1_000_000];
const THREADS: [u64; 2] = [1, 2];

fn main() {
    let only_tables = std::env::args().any(|arg| arg == "table");
    if !only_tables {
        let mut criterion = Criterion::default()
            .sample_size(10)
            .warm_up_time(Duration::from_millis(200))
            .measurement_time(Duration::from_secs(1))
            .configure_from_args();
        rates::times(&mut criterion);
        nonces::times(&mut criterion);
        criterion.final_summary();
    }
    rates::table();
    nonces::table();
}

/// Times a question about one of `keys` after the other, of which each thread begins elsewhere.
fn bench<K: Sync>(criterion: &mut Criterion, group: &str, name: &str, keys: &[K], ask: impl Fn(&K) -> bool + Sync) {
    let mut group = criterion.benchmark_group(format!("{group}, {} keys", keys.len()));
    for threads in THREADS {
        group.bench_function(format!("{name}, {threads} threads"), |bencher| {
            bencher.iter_custom(|count| {
                let begun = Instant::now();
                thread::scope(|scope| {
                    for thread in 0..threads {
                        let start = keys.len() * usize::try_from(thread).expect("it is small") / 2;
                        let mine = keys.iter().cycle().skip(start);
                        let ask = &ask;
                        scope.spawn(move || {
                            for (key, _) in mine.zip(0..count) {
                                black_box(ask(key));
                            }
                        });
                    }
                });
                begun.elapsed()
            });
        });
    }
    group.finish();
}

/// The longest of some calls, and the mean. Other processes lengthen some of them, so it is the shortest of three runs that counts.
fn pauses<K, S>(keys: &[K], make: impl Fn() -> S, ask: impl Fn(&S, &K) -> bool) -> (Duration, Duration) {
    let mut best = (Duration::MAX, Duration::MAX);
    for _ in 0..3 {
        let store = make();
        let (mut longest, begun) = (Duration::ZERO, Instant::now());
        let mut last = begun;
        for key in keys {
            black_box(ask(&store, key));
            let now = Instant::now();
            longest = longest.max(now - last);
            last = now;
        }
        let mean = begun.elapsed() / u32::try_from(keys.len()).expect("not so many");
        best = (best.0.min(longest), best.1.min(mean));
    }
    best
}

/// Bytes that a store holds in the end, and that it held when it held the most.
fn bytes<K, S>(keys: &[K], make: impl Fn() -> S, ask: impl Fn(&S, &K) -> bool) -> (u64, u64) {
    let mut kept = None;
    let counted = allocation_counter::measure(|| {
        let store = kept.insert(make());
        for key in keys {
            black_box(ask(store, key));
        }
    });
    (u64::try_from(counted.bytes_current).unwrap_or(0), counted.bytes_max)
}
