/// Something whose state is worth a gauge: a store, say. [`ObserveLayer::watch`](crate::layer::ObserveLayer::watch) asks for it now and then.
///
/// Asked in between requests, so it must answer at once.
pub trait Watched: Send + Sync + 'static {
    /// How it stands now.
    fn reading(&self) -> Reading;
}

/// How something [stands](Watched) now; what it cannot tell is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reading {
    /// How many entries it holds.
    pub entries: Option<u64>,
    /// How many it may hold.
    pub capacity: Option<u64>,
    /// Whether it is asked at all: not while it has failed too often to be asked.
    pub is_available: Option<bool>,
}

impl Reading {
    /// Of a store in memory.
    pub const fn of_entries(entries: u64, capacity: u64) -> Self {
        Self { entries: Some(entries), capacity: Some(capacity), is_available: None }
    }

    /// Of a store elsewhere.
    pub const fn of_availability(is_available: bool) -> Self {
        Self { entries: None, capacity: None, is_available: Some(is_available) }
    }
}
