//! Which tenants are known, for how long that counts, and which are being looked up. No I/O, no clock of its own.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

use crate::{
    Rejection,
    key::lookups::{Entries, Entry, Landing, Minute, Takeoff},
    scheme::Verifier,
};

/// How long a lookup that failed is not tried again: long enough to spare a store in trouble, short enough for senders who come again.
const REMEMBER_FAILURES: Duration = Duration::from_secs(2);

/// Tenants that are known, and others that somebody has asked for. They never push each other out, so that a stranger who invents tenants
/// costs no real one its place.
pub(super) struct Known {
    known: Entries<Arc<str>, Tenant>,
    unseen: Entries<Arc<str>, Tenant>,
    /// How many of the unseen are being looked up.
    flights: usize,
    unknown: Minute,
    /// Tells lookups from earlier ones for the same tenant.
    next_flight: u64,
}

/// How long answers count, and how much strangers may cause.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) tenants: usize,
    pub(super) remember_known: Duration,
    pub(super) remember_unknown: Duration,
    pub(super) lookups: usize,
    pub(super) unknown_per_minute: u32,
}

#[derive(Default)]
struct Tenant {
    held: Option<Held>,
    /// Why there is none, and how long that counts.
    absent: Option<(Absent, Duration)>,
    flight: Option<(u64, Landing<Found>)>,
}

struct Held {
    verifier: Verifier,
    renew_at: Duration,
    until: Duration,
}

/// Why there is no verifier.
#[derive(Clone, Copy, Debug)]
pub(super) enum Absent {
    Unknown,
    Unavailable { why: &'static str },
}

pub(super) type Found = Result<Verifier, Absent>;

pub(super) enum Step {
    Answer(Found),
    /// It is known, but soon will have to be looked up again: whoever does it now lets nobody wait.
    Renew(Verifier, u64, Takeoff<Found>),
    /// Somebody else is looking it up.
    Wait(Landing<Found>),
    LookUp(u64, Takeoff<Found>, Landing<Found>),
    /// It is not worth a lookup.
    Refuse(Rejection),
}

const TOO_MANY: Step = Step::Answer(Err(Absent::Unavailable { why: "too many unknown tenants are asked for" }));

impl Known {
    pub(super) fn new(tenants: usize) -> Self {
        let tenants = tenants.max(1);
        Self {
            known: Entries::new(tenants),
            unseen: Entries::new(tenants),
            flights: 0,
            unknown: Minute::default(),
            next_flight: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.known.len() + self.unseen.len()
    }

    /// What to do for somebody who asks at `at`, on the monotonic clock. Before anything is looked up, the request must be `worth_it`.
    pub(super) fn ask(
        &mut self,
        tenant: &str,
        at: Duration,
        bounds: &Bounds,
        worth_it: impl FnOnce() -> Result<(), Rejection>,
    ) -> Step {
        let flight = self.next_flight;
        if let Some(known) = self.known.get(tenant) {
            let step = known.ask(at, flight, worth_it);
            self.next_flight += u64::from(matches!(step, Step::Renew(..) | Step::LookUp(..)));
            return step;
        }
        if let Some(step) = self.unseen.get(tenant).and_then(|unseen| unseen.answer(at)) {
            return step;
        }
        if let Err(rejection) = worth_it() {
            return Step::Refuse(rejection);
        }
        if self.flights >= bounds.lookups || self.unknown.count(at) >= bounds.unknown_per_minute {
            return TOO_MANY;
        }
        let Some(unseen) = self.unseen.get_or_make(&tenant.into()) else { return TOO_MANY };
        self.flights += 1;
        self.next_flight += 1;
        let (takeoff, landing) = unseen.take_off(flight);
        Step::LookUp(flight, takeoff, landing)
    }

    /// Writes down how a lookup ended.
    pub(super) fn land(&mut self, tenant: &Arc<str>, flight: u64, found: &Found, at: Duration, bounds: &Bounds) {
        let is_mine = |entry: Option<&mut Tenant>| {
            entry.is_some_and(|entry| entry.flight.take_if(|(number, _)| *number == flight).is_some())
        };
        if is_mine(self.unseen.get(tenant)) {
            self.flights -= 1;
        } else if !is_mine(self.known.get(tenant)) {
            // It was forgotten meanwhile, and may be outdated.
            return;
        }
        match found {
            Ok(verifier) => {
                self.unseen.remove(tenant);
                // If there is no room, it is looked up again when it is asked for.
                let Some(known) = self.known.get_or_make(tenant) else { return };
                known.absent = None;
                known.held = Some(Held {
                    verifier: verifier.clone(),
                    renew_at: at.saturating_add(bounds.remember_known / 5 * 4),
                    until: at.saturating_add(bounds.remember_known),
                });
            }
            Err(absent @ Absent::Unknown) => {
                // Also when it is gone: a tenant that was removed must not be let in for any longer.
                self.known.remove(tenant);
                self.unknown.add(at);
                if let Some(unseen) = self.unseen.get_or_make(tenant) {
                    unseen.absent = Some((*absent, at.saturating_add(bounds.remember_unknown)));
                }
            }
            Err(absent) => {
                let entry = match self.known.get(tenant) {
                    Some(known) => Some(known),
                    None => {
                        // Or invented names would ask the most of whoever is ill.
                        self.unknown.add(at);
                        self.unseen.get_or_make(tenant)
                    }
                };
                if let Some(entry) = entry {
                    entry.absent = Some((*absent, at.saturating_add(REMEMBER_FAILURES)));
                }
            }
        }
    }

    pub(super) fn forget(&mut self, tenant: &str) {
        self.known.remove(tenant);
        if self.unseen.remove(tenant).is_some_and(|unseen| unseen.flight.is_some()) {
            self.flights -= 1;
        }
    }
}

impl Tenant {
    fn ask(&mut self, at: Duration, flight: u64, worth_it: impl FnOnce() -> Result<(), Rejection>) -> Step {
        let is_failing = self.absent.is_some_and(|(_, until)| at < until);
        match &self.held {
            Some(held) if at < held.until => {
                let verifier = held.verifier.clone();
                if at < held.renew_at || self.flight.is_some() || is_failing {
                    return Step::Answer(Ok(verifier));
                }
                let (takeoff, _) = self.take_off(flight);
                return Step::Renew(verifier, flight, takeoff);
            }
            _ => self.held = None,
        }
        if let Some(step) = self.answer(at) {
            return step;
        }
        if let Err(rejection) = worth_it() {
            return Step::Refuse(rejection);
        }
        let (takeoff, landing) = self.take_off(flight);
        Step::LookUp(flight, takeoff, landing)
    }

    /// What is to be said of one that is not known, unless it must be looked up.
    fn answer(&self, at: Duration) -> Option<Step> {
        if let Some((_, landing)) = &self.flight {
            return Some(Step::Wait(landing.clone()));
        }
        let (absent, until) = self.absent?;
        (at < until).then_some(Step::Answer(Err(absent)))
    }

    fn take_off(&mut self, flight: u64) -> (Takeoff<Found>, Landing<Found>) {
        let (takeoff, landing) = watch::channel(None);
        self.flight = Some((flight, landing.clone()));
        (takeoff, landing)
    }
}

impl Entry for Tenant {
    fn is_in_flight(&self) -> bool {
        self.flight.is_some()
    }

    fn is_held(&self) -> bool {
        self.held.is_some()
    }
}
