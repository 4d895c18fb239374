//! What was found at URLs, for how long it counts, and what is being fetched right now. No I/O, no clock of its own.

use std::{ops::RangeInclusive, sync::Arc, time::Duration};

use tokio::sync::watch;

use crate::{
    clock::UnixTime,
    key::{
        FoundKey, HostRule, KeyError, KeyForm,
        lookups::{self, Entries, Minute},
    },
};

/// A set is asked for an id that it does not hold this often at most: ids that strangers invent cost no fetches.
/// Documents that say they must not be stored are kept for as long.
const COOLDOWN: Duration = Duration::from_secs(60);

const LONGEST_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// How long old keys go on being used when newer ones cannot be had.
const GRACE: Duration = Duration::from_secs(24 * 60 * 60);

const REMEMBER_REFUSALS: Duration = Duration::from_secs(60);
const REMEMBER_FAILURES: Duration = Duration::from_secs(30);

/// First fetches of URLs that requests choose, for each provider: so many at a time, and so many a minute. Others than these are never kept waiting by
/// them.
const MAX_FLIGHTS: usize = 16;
const FETCHES_PER_MINUTE: u32 = 120;

/// Keys of two kinds of URLs, which never push each other out: those that schemes name, and those that requests choose.
pub(super) struct Cache {
    named: Entries<Place, Entry>,
    chosen: Entries<Place, Entry>,
    /// How many first fetches each provider's requests have caused.
    minutes: Vec<(Group, Minute)>,
}

/// Places that requests to one provider choose from.
#[derive(Clone, PartialEq, Eq)]
enum Group {
    Host(Box<str>),
    Hosts(Arc<[HostRule]>),
}

/// Providers are as many as are configured; what is beyond this is counted together.
const MAX_GROUPS: usize = 256;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) url: Box<str>,
    pub(super) form: KeyForm,
}

/// The keys at one place.
#[derive(Clone, Debug)]
pub(super) struct Document {
    pub(super) keys: Arc<[FoundKey]>,
    /// When the certificate that they come from is valid.
    pub(super) valid: RangeInclusive<UnixTime>,
}

/// How a fetch ended.
#[derive(Clone, Debug)]
pub(super) struct Landed {
    document: Option<Document>,
    failure: Option<KeyError>,
}

pub(super) type Takeoff = lookups::Takeoff<Landed>;
pub(super) type Landing = lookups::Landing<Landed>;
pub(super) type Answer = Result<Arc<[FoundKey]>, KeyError>;

pub(super) enum Step {
    /// It is known.
    Answer(Answer),
    /// It is known, but soon will have to be fetched again: whoever does it now lets nobody wait.
    Renew(Answer, Takeoff),
    /// Somebody else is fetching it.
    Wait(Landing),
    Fetch(Takeoff, Landing),
}

#[derive(Default)]
struct Entry {
    held: Option<Held>,
    /// Why the last fetch failed, and how long that counts.
    failed: Option<(KeyError, Duration)>,
    flight: Option<Landing>,
    asked_at: Duration,
    /// The id that the last fetch was for.
    asked_for: Option<Box<str>>,
}

struct Held {
    document: Document,
    renew_at: Duration,
    stale_at: Duration,
    useless_at: Duration,
}

impl Cache {
    pub(super) fn new(max: usize) -> Self {
        let half = (max / 2).max(1);
        Self { named: Entries::new(half), chosen: Entries::new(half), minutes: Vec::new() }
    }

    #[cfg(feature = "x509")]
    pub(super) fn max_entries(&self) -> usize {
        self.named.max() * 2
    }

    /// What to do for somebody who asks at `at`, on the monotonic clock.
    pub(super) fn ask(&mut self, place: &Place, id: Option<&str>, now: UnixTime, at: Duration) -> Step {
        let half = if is_chosen(place) { &mut self.chosen } else { &mut self.named };
        let entry = half.get(place);
        let unseen = entry.as_ref().is_none_or(|entry| entry.held.is_none());
        if let Some(step) = entry.and_then(|entry| entry.ask(id, now, at)) {
            return step;
        }
        let group = Group::of(place);
        let mut counted = None;
        if unseen && is_chosen(place) {
            let first_flights = half
                .iter()
                .filter(|(other, entry)| entry.flight.is_some() && entry.held.is_none() && Group::of(other) == group);
            let minute = minute(&mut self.minutes, group.clone(), at);
            if first_flights.count() >= MAX_FLIGHTS || minute.count(at) >= FETCHES_PER_MINUTE {
                return Step::Answer(Err(KeyError::Unavailable { why: "too many keys are asked for" }));
            }
            counted = Some(minute);
        }
        let Some(entry) = half.get_or_make(place) else {
            return Step::Answer(Err(KeyError::Unavailable { why: "too many keys are asked for" }));
        };
        if let Some(minute) = counted {
            minute.add(at);
        }
        let (takeoff, landing) = entry.take_off(id, at);
        Step::Fetch(takeoff, landing)
    }

    /// Writes down how a fetch ended, for those who wait and those who come.
    pub(super) fn land(
        &mut self,
        place: &Place,
        fetched: Result<(Document, Duration), KeyError>,
        at: Duration,
    ) -> Landed {
        let half = if is_chosen(place) { &mut self.chosen } else { &mut self.named };
        // Entries with a fetch under way are never dropped.
        let entry = half.get_or_squeeze_in(place);
        entry.flight = None;
        match fetched {
            Ok((document, age)) => {
                let age = age.clamp(COOLDOWN, LONGEST_AGE);
                entry.failed = None;
                entry.held = Some(Held {
                    document,
                    renew_at: at.saturating_add(age / 5 * 4),
                    stale_at: at.saturating_add(age),
                    useless_at: at.saturating_add(age).saturating_add(GRACE),
                });
            }
            Err(failure) => {
                let memory = match failure {
                    KeyError::Unavailable { .. } => REMEMBER_FAILURES,
                    // It was withdrawn, or replaced by something that does not hold.
                    _ => {
                        entry.held = None;
                        REMEMBER_REFUSALS
                    }
                };
                entry.failed = Some((failure, at.saturating_add(memory)));
            }
        }
        Landed {
            document: entry.held(at).map(|held| held.document.clone()),
            failure: entry.failed.as_ref().map(|(failure, _)| failure.clone()),
        }
    }
}

impl Group {
    fn of(place: &Place) -> Self {
        match &place.form {
            KeyForm::Certificate { hosts, .. } => Self::Hosts(Arc::clone(hosts)),
            KeyForm::JwkSet | KeyForm::Pem => {
                // The scheme's own URL, up to its path.
                let end = place.url.splitn(4, '/').take(3).map(|part| part.len() + 1).sum::<usize>();
                Self::Host(place.url.get(..end.saturating_sub(1)).unwrap_or(&place.url).into())
            }
        }
    }
}

/// The count of the group's current minute.
fn minute(minutes: &mut Vec<(Group, Minute)>, group: Group, at: Duration) -> &mut Minute {
    let known = minutes.iter().position(|(known, _)| *known == group);
    let index = known.unwrap_or_else(|| {
        if minutes.len() < MAX_GROUPS {
            minutes.push((group, Minute::beginning(at)));
        }
        minutes.len() - 1
    });
    &mut minutes[index].1
}

/// Whether a stranger can make any number of such places.
fn is_chosen(place: &Place) -> bool {
    match place.form {
        KeyForm::JwkSet => false,
        KeyForm::Pem | KeyForm::Certificate { .. } => true,
    }
}

impl lookups::Entry for Entry {
    fn is_in_flight(&self) -> bool {
        self.flight.is_some()
    }

    fn is_held(&self) -> bool {
        self.held.is_some()
    }
}

impl Entry {
    /// What to do, or nothing if it must be fetched and nobody does.
    fn ask(&mut self, id: Option<&str>, now: UnixTime, at: Duration) -> Option<Step> {
        let failing = self.failed.as_ref().is_some_and(|(_, until)| at < *until);
        let held = self.held(at);
        let answer = held.map(|held| held.document.answer(id, now));
        let must_fetch = match (&answer, held) {
            (Some(Ok(_)), Some(held)) => at >= held.stale_at,
            // A key that is not there may be new.
            (Some(Err(_)), Some(held)) => {
                self.flight.is_some() || at >= held.stale_at || at.saturating_sub(self.asked_at) >= COOLDOWN
            }
            _ => true,
        };
        if must_fetch {
            if let Some(flight) = &self.flight {
                return Some(Step::Wait(flight.clone()));
            }
            if !failing {
                return None;
            }
        }
        let renew = answer.as_ref().is_some_and(Result::is_ok)
            && held.is_some_and(|held| at >= held.renew_at)
            && self.flight.is_none()
            && !failing;
        let mut answer = settle(answer, self.failed.as_ref().map(|(failure, _)| failure));
        // Nobody has looked for this one since: the provider may have begun to use it just now, and must not be turned away for good.
        if matches!(answer, Err(KeyError::Unknown)) && self.asked_for.as_deref() != id {
            answer = Err(KeyError::Unavailable { why: "the key may be new, and was not looked for yet" });
        }
        Some(if renew { Step::Renew(answer, self.take_off(id, at).0) } else { Step::Answer(answer) })
    }

    fn take_off(&mut self, id: Option<&str>, at: Duration) -> (Takeoff, Landing) {
        let (takeoff, landing) = watch::channel(None);
        self.flight = Some(landing.clone());
        self.asked_at = at;
        self.asked_for = id.map(Into::into);
        (takeoff, landing)
    }

    fn held(&self, at: Duration) -> Option<&Held> {
        self.held.as_ref().filter(|held| at < held.useless_at)
    }
}

impl Document {
    /// The keys that may belong to the id.
    fn answer(&self, id: Option<&str>, now: UnixTime) -> Answer {
        if !self.valid.contains(&now.floor_to_second()) {
            return Err(KeyError::Untrusted { why: "the certificate is not valid now" });
        }
        let Some(id) = id else { return Ok(Arc::clone(&self.keys)) };
        if self.keys.iter().all(|found| found.id.as_deref() == Some(id)) {
            return Ok(Arc::clone(&self.keys));
        }
        // Keys without a name may be the one that is meant, unless another has the name.
        let with_name = |name| self.keys.iter().filter(move |found| found.id.as_deref() == name);
        let name = with_name(Some(id)).next().map(|_| id);
        let keys: Arc<[_]> = with_name(name).cloned().collect();
        if keys.is_empty() { Err(KeyError::Unknown) } else { Ok(keys) }
    }
}

impl Landed {
    pub(super) fn answer(&self, id: Option<&str>, now: UnixTime) -> Answer {
        settle(self.document.as_ref().map(|document| document.answer(id, now)), self.failure.as_ref())
    }
}

/// What is known counts; where it has no answer, nobody can say whether the last fetch would have had one, if it failed.
fn settle(known: Option<Answer>, failure: Option<&KeyError>) -> Answer {
    match (known, failure) {
        (Some(Ok(keys)), _) => Ok(keys),
        (_, Some(failure)) => Err(failure.clone()),
        (Some(Err(error)), None) => Err(error),
        (None, None) => Err(KeyError::Unavailable { why: "nothing was fetched" }),
    }
}
