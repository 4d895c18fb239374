//! Cells in sets of eight. A key may be in either of two sets, so nearly all cells can be used before there is no place for it.

use std::ops::{Index, IndexMut};

const WAYS: usize = 8;

/// What a table holds for one key.
pub(super) trait Cell: Copy + PartialEq {
    /// Holds nothing.
    const FREE: Self;

    /// Which key it is for: evenly distributed in its lower 64 bits.
    fn tag(&self) -> u128;

    /// Whether it must be kept.
    fn is_live(&self, now: u64) -> bool;
}

/// Starts with nothing, and doubles when there is no place.
pub(super) struct Table<C> {
    sets: Vec<Set<C>>,
    /// It doubles up to here.
    usual: usize,
    limit: usize,
}

/// Begins with a line of the cache, so as not to be in one more than it must.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Set<C>([C; WAYS]);

/// Set, and cell of the set.
pub(super) type Place = (usize, usize);

impl<C: Cell> Table<C> {
    /// A table that grows to so many cells, and a little more if it must.
    pub(super) fn about(cells: usize) -> Self {
        Self { sets: Vec::new(), usual: cells.div_ceil(WAYS).max(1), limit: usize::MAX }
    }

    /// A table of no more cells than that, but for one set.
    pub(super) fn at_most(cells: usize) -> Self {
        let sets = (cells / WAYS).max(1);
        Self { sets: Vec::new(), usual: sets, limit: sets }
    }

    /// Where the key is.
    pub(super) fn find(&self, tag: u128) -> Option<Place> {
        let [first, second] = self.choices(tag);
        let within = |set: usize| Some((set, self.sets.get(set)?.0.iter().position(|cell| cell.tag() == tag)?));
        within(first).or_else(|| within(second))
    }

    /// A place for the key where nothing must be kept, in the emptier of its sets.
    pub(super) fn vacancy(&self, tag: u128, now: u64) -> Option<Place> {
        let [first, second] = self.choices(tag);
        let vacant = |set: usize| Some(self.sets.get(set)?.0.iter().filter(|cell| !cell.is_live(now)).count());
        let (in_first, in_second) = (vacant(first), vacant(second));
        let (set, vacant) = if in_second > in_first { (second, in_second) } else { (first, in_first) };
        if vacant? == 0 {
            return None;
        }
        let way = self.sets.get(set)?.0.iter().position(|cell| !cell.is_live(now))?;
        Some((set, way))
    }

    /// The sets where the key may be, by their numbers.
    pub(super) fn sets_for(&self, tag: u128) -> impl Iterator<Item = (usize, &[C])> {
        self.choices(tag).into_iter().filter_map(|set| Some((set, self.sets.get(set)?.0.as_slice())))
    }

    /// Makes room and leaves behind what need not be kept, unless the table is as large as it may be.
    pub(super) fn grow(&mut self, now: u64) -> bool {
        let mut sets = self.sets.len();
        while sets < self.limit {
            sets = self.next_size(sets);
            if let Some(sets) = self.spread_over(sets, now) {
                self.sets = sets;
                return true;
            }
        }
        false
    }

    /// The set of this number; they are numbered in a circle.
    pub(super) fn set_mut(&mut self, number: usize) -> &mut [C] {
        let sets = self.sets.len();
        self.sets.get_mut(number % sets.max(1)).map_or(&mut [], |set| &mut set.0)
    }

    pub(super) fn cells(&self) -> impl Iterator<Item = &C> {
        self.sets.iter().flat_map(|set| &set.0)
    }

    pub(super) fn cells_mut(&mut self) -> impl Iterator<Item = &mut C> {
        self.sets.iter_mut().flat_map(|set| &mut set.0)
    }

    /// How many cells hold something, to be kept or not.
    pub(super) fn len(&self) -> usize {
        self.cells().filter(|cell| **cell != C::FREE).count()
    }

    /// The sets where the key may be.
    fn choices(&self, tag: u128) -> [usize; 2] {
        let choice = |bits: u32| ((u128::from(bits) * self.sets.len() as u128) >> 32) as usize;
        [choice(tag as u32), choice((tag >> 32) as u32)]
    }

    /// Halves of the usual size, so that it is met exactly; beyond it an eighth more.
    fn next_size(&self, sets: usize) -> usize {
        if sets >= self.usual {
            return sets + sets.div_ceil(8);
        }
        let mut next = self.usual;
        while next > 1 && next.div_ceil(2) > sets {
            next = next.div_ceil(2);
        }
        next
    }

    fn spread_over(&self, sets: usize, now: u64) -> Option<Vec<Set<C>>> {
        let mut larger = Self { sets: vec![Set([C::FREE; WAYS]); sets], ..*self };
        for cell in self.cells().filter(|cell| cell.is_live(now)) {
            let place = larger.vacancy(cell.tag(), now)?;
            larger[place] = *cell;
        }
        Some(larger.sets)
    }
}

impl<C> Index<Place> for Table<C> {
    type Output = C;

    fn index(&self, (set, way): Place) -> &C {
        &self.sets[set].0[way]
    }
}

impl<C> IndexMut<Place> for Table<C> {
    fn index_mut(&mut self, (set, way): Place) -> &mut C {
        &mut self.sets[set].0[way]
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Number(u128);

    impl Cell for Number {
        const FREE: Self = Self(0);

        fn tag(&self) -> u128 {
            self.0
        }

        fn is_live(&self, _: u64) -> bool {
            *self != Self::FREE
        }
    }

    /// The same in each run, and evenly distributed.
    fn numbers() -> impl Iterator<Item = u128> {
        let hash = |number: u64| u128::from(BuildHasherDefault::<DefaultHasher>::default().hash_one(number));
        (0..).map(move |number| hash(number) << 64 | hash(!number))
    }

    fn put(table: &mut Table<Number>, number: u128) -> bool {
        loop {
            if let Some(place) = table.vacancy(number, 0) {
                table[place] = Number(number);
                return true;
            }
            if !table.grow(0) {
                return false;
            }
        }
    }

    #[test]
    fn what_is_in_is_found_however_often_it_grew() {
        let mut table = Table::about(1400);
        for (count, number) in numbers().take(1000).enumerate() {
            assert!(put(&mut table, number));
            assert_eq!(table.len(), count + 1);
        }
        assert!(numbers().take(1000).all(|number| table.find(number).is_some()));
        assert!(numbers().skip(1000).take(1000).all(|number| table.find(number).is_none()));
        assert_eq!(table.sets.len(), 1400_usize.div_ceil(WAYS), "more than it should need");
    }

    #[test]
    fn a_table_that_is_too_small_grows_beyond_its_size_if_it_may() {
        let (mut soft, mut hard) = (Table::about(64), Table::at_most(64));
        let taken = numbers().take(1000).filter(|number| put(&mut soft, *number) & put(&mut hard, *number)).count();
        assert_eq!(soft.len(), 1000);
        assert_eq!((hard.len(), hard.sets.len()), (taken, 8));
        assert!((50..=64).contains(&taken), "{taken}");
        assert!(soft.sets.len() * WAYS < 2000, "{}", soft.sets.len() * WAYS);
    }

    #[test]
    fn nothing_is_taken_before_it_is_used_and_little_at_first() {
        for usual in [0, 1, 7, 8, 9, 24, 1000] {
            let mut table = Table::<Number>::about(usual);
            assert_eq!((table.find(1), table.vacancy(1, 0), table.sets.capacity()), (None, None, 0), "{usual}");
            assert!(table.grow(0));
            assert_eq!(table.sets.len(), 1, "{usual}");
        }
    }
}
