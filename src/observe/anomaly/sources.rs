use std::{
    hash::{BuildHasher, RandomState},
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use super::{
    count::{CountRules, Counter},
    emit::{Emitter, Episode, Now, Subject},
    state::{COUNTED, Counted},
};

/// Cells where a source may be.
const WAYS: usize = 8;

/// Counts for each source, in cells whose number is fixed.
///
/// Whoever rotates through addresses takes cells from those that have done the least lately, the longest idle among them. So nobody who has failed twice loses
/// his cell to addresses that fail once, and nobody ever does whose burst goes on.
pub(super) struct Sources {
    cells: Box<[Option<Cell>]>,
    most: usize,
    /// The cells whose bursts go on, for each of what is counted.
    going_on: [Vec<usize>; COUNTED.len()],
    most_going_on: usize,
    hasher: RandomState,
}

struct Cell {
    source: IpAddr,
    /// The bucket in which it was last seen.
    seen: u64,
    /// Who was before whom within it.
    order: u64,
    counters: [Counter; COUNTED.len()],
    /// To whom it went too far.
    provider: Option<Arc<str>>,
}

impl Sources {
    /// Memory is taken when the first one fails.
    pub(super) fn new(most: usize, most_going_on: usize) -> Self {
        let most = most.div_ceil(WAYS).max(1) * WAYS;
        Self {
            cells: Box::default(),
            most,
            going_on: [const { Vec::new() }; COUNTED.len()],
            most_going_on,
            hasher: RandomState::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.cells.iter().flatten().count()
    }

    pub(super) fn episodes(&self) -> impl Iterator<Item = &Episode> {
        let counters = self.cells.iter().flatten().flat_map(|cell| &cell.counters);
        counters.filter_map(Counter::episode)
    }

    /// Counts what a source has done. Says whether it went too far when as many others do as are told apart.
    pub(super) fn add(
        &mut self,
        of: Whom<'_>,
        counted: Counted,
        rules: &[CountRules; COUNTED.len()],
        out: &mut Emitter,
    ) -> bool {
        let Whom { now, bucket, order, provider, source } = of;
        let Some(place) = self.place(aggregate(source), bucket, rules) else { return false };
        let Some(cell) = &mut self.cells[place] else { return false };
        (cell.seen, cell.order) = (cell.seen.max(bucket), order);
        let (counter, rules) = (&mut cell.counters[counted as usize], &rules[counted as usize]);
        counter.advance(bucket, rules);
        counter.add();
        let was_going_on = counter.is_going_on();
        if !was_going_on && counter.exceeds(rules, 0.0).is_none() {
            return false;
        }
        let going_on = &mut self.going_on[counted as usize];
        if !was_going_on && going_on.len() >= self.most_going_on {
            return true;
        }
        let provider = if was_going_on {
            cell.provider.get_or_insert_with(|| Arc::clone(provider))
        } else {
            cell.provider.insert(Arc::clone(provider))
        };
        let subject = Subject { kind: counted.kind(), provider, source: Some(cell.source) };
        counter.judge(now, rules, 0.0, subject, out);
        if !was_going_on && counter.is_going_on() {
            going_on.push(place);
        }
        false
    }

    /// Time passes, for those whose bursts go on; for others it does when they come again.
    pub(super) fn check(&mut self, now: Now, bucket: u64, rules: &[CountRules; COUNTED.len()], out: &mut Emitter) {
        let cells = &mut self.cells;
        for (counted, (going_on, rules)) in COUNTED.into_iter().zip(self.going_on.iter_mut().zip(rules)) {
            going_on.retain(|place| {
                let Some(cell) = cells.get_mut(*place).and_then(Option::as_mut) else { return false };
                let Some(provider) = &cell.provider else { return false };
                let subject = Subject { kind: counted.kind(), provider, source: Some(cell.source) };
                let counter = &mut cell.counters[counted as usize];
                counter.advance(bucket, rules);
                counter.judge(now, rules, 0.0, subject, out);
                counter.is_going_on()
            });
        }
    }

    /// Where the source is, or may be now.
    fn place(&mut self, source: IpAddr, bucket: u64, rules: &[CountRules; COUNTED.len()]) -> Option<usize> {
        if self.cells.is_empty() {
            self.cells = std::iter::repeat_with(|| None).take(self.most).collect();
        }
        // Under a secret of the process: nobody can aim at the cells of somebody else.
        let set = (self.hasher.hash_one(source) % (self.most / WAYS) as u64) as usize * WAYS;
        let cells = self.cells.get_mut(set..set + WAYS)?;
        if let Some(way) = cells.iter().position(|cell| cell.as_ref().is_some_and(|cell| cell.source == source)) {
            return Some(set + way);
        }
        let way = match cells.iter().position(Option::is_none) {
            Some(way) => way,
            None => {
                let worth = |cell: &Option<Cell>| cell.as_ref().map_or((0, 0, 0), |cell| cell.worth(bucket));
                let may_go = |cell: &Option<Cell>| !cell.as_ref().is_some_and(Cell::is_going_on);
                let (way, _) =
                    cells.iter().enumerate().filter(|(_, cell)| may_go(cell)).min_by_key(|(_, cell)| worth(cell))?;
                way
            }
        };
        let counters = std::array::from_fn(|counted| Counter::new(bucket, &rules[counted]));
        cells[way] = Some(Cell { source, seen: bucket, order: 0, counters, provider: None });
        Some(set + way)
    }
}

/// Who did something, to whom, when.
#[derive(Clone, Copy)]
pub(super) struct Whom<'a> {
    pub(super) now: Now,
    pub(super) bucket: u64,
    pub(super) order: u64,
    pub(super) provider: &'a Arc<str>,
    pub(super) source: IpAddr,
}

impl Cell {
    /// How much would be lost with it: what is in its window, and how new it is.
    fn worth(&self, bucket: u64) -> (u64, u64, u64) {
        let is_past = bucket.saturating_sub(self.seen) >= super::count::BUCKETS as u64;
        let failed = self.counters.iter().map(|counter| u64::from(counter.in_window())).sum();
        (if is_past { 0 } else { failed }, self.seen, self.order)
    }

    fn is_going_on(&self) -> bool {
        self.counters.iter().any(Counter::is_going_on)
    }
}

/// One source for all addresses that one subscriber of IPv6 has for certain; those of IPv4 are themselves.
fn aggregate(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_takes_less_than_200_bytes() {
        assert!(size_of::<Option<Cell>>() < 200, "{}", size_of::<Option<Cell>>());
    }

    #[test]
    fn addresses_of_one_network_of_64_bits_are_one_source() {
        for (address, source) in [
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2:ffff::", "2001:db8:1:2::"),
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
        ] {
            assert_eq!(aggregate(address.parse().unwrap()), source.parse::<IpAddr>().unwrap(), "{address}");
        }
    }
}
