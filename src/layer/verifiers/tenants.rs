use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::request::Parts;

use super::{
    Choice, FindTenant, VerifierSource,
    known::{Absent, Bounds, Found, Known, Step},
};
use crate::{
    ConfigError, Rejection,
    clock::{Clock, SharedClock, UnixTime},
    key::{
        IntoKeys,
        lookups::{Flight, Landing, Lookups, Takeoff, landed, lock},
    },
    layer::verify_signature::signed_head,
    scheme::{Verifier, VerifierBuilder},
};

/// The keys of many tenants who receive deliveries of one provider, looked up when a request names one.
///
/// Any number of requests that name the same tenant cause one lookup. What it brings counts for a minute and is renewed a little earlier without letting
/// anyone wait; that a tenant is unknown counts for ten seconds. A lookup that takes longer than two seconds, or fails, is answered `503`, so that the
/// sender tries again.
///
/// A request to an unknown tenant is answered as one with a wrong signature, after the same work: it is judged with a key that nobody has. Two things do show in the
/// time that an answer takes: that it was in memory, and so that the tenant has been active lately; and that a tenant has several keys, each of which is
/// tried. Where verifiers [find](crate::key::KeySource) their keys elsewhere, that shows too: nothing is fetched for who does not exist.
///
/// Requests that name tenants at random cause few lookups: none if the head alone is reason enough to refuse them, and else no more than
/// [`max_lookups`](Self::max_lookups) at a time and [`unknown_per_minute`](Self::unknown_per_minute). Beyond, tenants that are not in memory are
/// answered `503`; those that are notice nothing.
///
/// Deliveries to different tenants are never taken for the same, nor counted together: [`Delivery::tenant`](crate::Delivery::tenant) is part of
/// what they are known by. Each tenant must have a key of its own: whoever holds it can send to every tenant that has the same.
///
/// ```
/// use std::convert::Infallible;
/// use tower_webhook::{layer::{TenantIn, Tenants, WebhookLayer}, provider, scheme::Verifier};
///
/// // POST /hooks/{tenant}/stripe
/// let tenants = Tenants::new(
///     Verifier::builder(provider::STRIPE),
///     TenantIn::path_segment(1),
///     |tenant| async move {
///         // Here a database would be asked.
///         let secrets = (*tenant == *"acme").then(|| ["whsec_new", "whsec_old"]);
///         Ok::<_, Infallible>(secrets)
///     },
/// )?;
/// let layer = WebhookLayer::new(tenants.clone());
///
/// // When somebody changes a secret, and its old one must not count for a minute more:
/// tenants.forget("acme");
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
///
/// Each lookup makes a new verifier, so uses of keys are counted by [`Delivery::key_id`](crate::Delivery::key_id), in metrics of your own.
#[derive(Clone)]
#[must_use]
pub struct Tenants {
    find: Arc<dyn FindTenant>,
    lookup: Arc<Lookup>,
    decoy: Verifier,
    timeout: Duration,
    bounds: Bounds,
    clock: SharedClock,
    known: Arc<Mutex<Known>>,
}

type Lookup = dyn Fn(Arc<str>) -> LookupFuture + Send + Sync;
type LookupFuture = Pin<Box<dyn Future<Output = Found> + Send>>;

impl Tenants {
    /// Looks keys up with this function: `None` if there is no such tenant, an error if that cannot be said right now. Errors are for the function to
    /// log.
    ///
    /// # Errors
    ///
    /// As [`VerifierBuilder::build_decoy`].
    pub fn new<K, E, Fut>(
        builder: VerifierBuilder,
        find: impl FindTenant,
        lookup: impl Fn(Arc<str>) -> Fut + Send + Sync + 'static,
    ) -> Result<Self, ConfigError>
    where
        K: IntoKeys + Send,
        Fut: Future<Output = Result<Option<K>, E>> + Send + 'static,
    {
        Self::building(builder, find, move |tenant, builder| {
            let asked = lookup(tenant);
            async move { Ok::<_, E>(asked.await?.map(|keys| builder.build(keys))) }
        })
    }

    /// The same, for schemes that need more of each tenant than keys, such as a URL of its own: the function is given the builder and gives back what
    /// it built.
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use tower_webhook::{layer::{TenantIn, Tenants}, provider, scheme::Verifier};
    ///
    /// let square = Verifier::builder(provider::SQUARE).public_url("https://hooks.example.com");
    /// let tenants = Tenants::building(square, TenantIn::path_segment(1), |tenant, builder| async move {
    ///     let url = format!("https://hooks.example.com/hooks/{tenant}/square");
    ///     Ok::<_, Infallible>(Some(builder.public_url(url).build("a key from a database")))
    /// })?;
    /// # Ok::<(), tower_webhook::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`VerifierBuilder::build_decoy`].
    pub fn building<E, Fut>(
        builder: VerifierBuilder,
        find: impl FindTenant,
        lookup: impl Fn(Arc<str>, VerifierBuilder) -> Fut + Send + Sync + 'static,
    ) -> Result<Self, ConfigError>
    where
        Fut: Future<Output = Result<Option<Result<Verifier, ConfigError>>, E>> + Send + 'static,
    {
        let decoy = builder.clone().build_decoy()?;
        let like = decoy.clone();
        let lookup = move |tenant: Arc<str>| -> LookupFuture {
            let asked = lookup(Arc::clone(&tenant), builder.clone().tenant(Arc::clone(&tenant)));
            let like = like.clone();
            Box::pin(async move {
                let why = match asked.await {
                    Ok(Some(Ok(verifier))) if is_alike(&verifier, &like, &tenant) => return Ok(verifier),
                    Ok(None) => return Err(Absent::Unknown),
                    Ok(Some(Ok(_))) => "the tenant's verifier is not what the builder was set up for",
                    Ok(Some(Err(_))) => "the tenant's keys cannot be used",
                    Err(_) => "the tenant's keys cannot be looked up",
                };
                Err(Absent::Unavailable { why })
            })
        };
        let bounds = Bounds {
            tenants: 10_000,
            remember_known: Duration::from_secs(60),
            remember_unknown: Duration::from_secs(10),
            lookups: 64,
            unknown_per_minute: 600,
        };
        Ok(Self {
            find: Arc::new(find),
            lookup: Arc::new(lookup),
            decoy,
            timeout: Duration::from_secs(2),
            bounds,
            clock: SharedClock::default(),
            known: Arc::new(Mutex::new(Known::new(bounds.tenants))),
        })
    }

    /// Gives up on a lookup after this time. Two seconds unless said: providers wait for few more.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long a tenant's keys count, and with them those that were taken back meanwhile. A minute unless said.
    pub fn remember_known(mut self, time: Duration) -> Self {
        self.bounds.remember_known = time;
        self
    }

    /// How long a tenant is taken for unknown, and so for how long a new one is turned away that was asked for too early. Ten seconds unless said.
    pub fn remember_unknown(mut self, time: Duration) -> Self {
        self.bounds.remember_unknown = time;
        self
    }

    /// Remembers so many tenants, and as many unknown ones. Ten thousand unless said. What was remembered before is forgotten.
    pub fn max_tenants(mut self, tenants: usize) -> Self {
        self.bounds.tenants = tenants;
        self.known = Arc::new(Mutex::new(Known::new(tenants)));
        self
    }

    /// Looks up so many tenants at a time that are not known yet. 64 unless said.
    pub fn max_lookups(mut self, lookups: usize) -> Self {
        self.bounds.lookups = lookups;
        self
    }

    /// Lets so many lookups in a minute find nothing, before those that are not in memory have to wait for the next minute. 600 unless said.
    pub fn unknown_per_minute(mut self, tenants: u32) -> Self {
        self.bounds.unknown_per_minute = tenants;
        self
    }

    /// Counts the age of answers by this clock.
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = SharedClock::new(clock);
        self
    }

    /// Looks this tenant up anew when it is asked for again. What is being looked up right now counts for those who wait, and no more.
    pub fn forget(&self, tenant: &str) {
        lock(&self.known).forget(tenant);
    }

    /// How many tenants are in memory, unknown ones included.
    pub fn in_memory(&self) -> usize {
        lock(&self.known).len()
    }

    fn settle(&self, found: Found) -> Result<Verifier, Rejection> {
        match found {
            Ok(verifier) => Ok(verifier),
            Err(Absent::Unknown) => Ok(self.decoy.clone()),
            Err(Absent::Unavailable { why }) => Err(Rejection::KeysUnavailable { why }),
        }
    }

    fn wait(&self, landing: Landing<Found>) -> Choice {
        let this = self.clone();
        Choice::Later(Box::pin(async move { this.settle(landed(landing).await.unwrap_or(BROKEN_OFF)) }))
    }

    fn look_up(&self, tenant: &str, number: u64, takeoff: Takeoff<Found>) {
        let flight = Flight::new(TenantLookup { tenants: self.clone(), tenant: tenant.into(), number }, takeoff);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return flight.land(Err(Absent::Unavailable { why: "there is no Tokio runtime" }));
        };
        // In a task of its own: who asked first may leave before the others.
        runtime.spawn(async move {
            let TenantLookup { tenants, tenant, .. } = &flight.lookups;
            let asked = (tenants.lookup)(Arc::clone(tenant));
            let slow = Absent::Unavailable { why: "the tenant's keys take too long to look up" };
            flight.land(tokio::time::timeout(tenants.timeout, asked).await.unwrap_or(Err(slow)));
        });
    }
}

impl VerifierSource for Tenants {
    fn choose(&self, head: &Parts, now: UnixTime) -> Choice {
        /// No more than a key of the cache may take.
        const LONGEST_NAME: usize = 256;
        let tenant = match self.find.tenant(head) {
            Ok(Some(tenant)) if !tenant.is_empty() && tenant.len() <= LONGEST_NAME => tenant,
            Ok(_) => return Choice::Now(Ok(self.decoy.clone())),
            Err(rejection) => return Choice::Now(Err(rejection)),
        };
        let worth_it = || self.decoy.begin_without_keys(signed_head(head), now);
        let step = lock(&self.known).ask(&tenant, self.clock.monotonic(), &self.bounds, worth_it);
        match step {
            Step::Answer(found) => Choice::Now(self.settle(found)),
            Step::Refuse(rejection) => Choice::Now(Err(rejection)),
            Step::Renew(verifier, number, takeoff) => {
                self.look_up(&tenant, number, takeoff);
                Choice::Now(Ok(verifier))
            }
            Step::Wait(landing) => self.wait(landing),
            Step::LookUp(number, takeoff, landing) => {
                self.look_up(&tenant, number, takeoff);
                self.wait(landing)
            }
        }
    }

    fn examples(&self) -> Vec<Verifier> {
        vec![self.decoy.clone()]
    }
}

impl fmt::Debug for Tenants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tenants")
            .field("provider", &self.decoy.provider())
            .field("timeout", &self.timeout)
            .field("bounds", &self.bounds)
            .finish_non_exhaustive()
    }
}

const BROKEN_OFF: Found = Err(Absent::Unavailable { why: "the lookup broke off" });

/// What a lookup is for.
struct TenantLookup {
    tenants: Tenants,
    tenant: Arc<str>,
    number: u64,
}

impl Lookups for TenantLookup {
    type Found = Found;
    type Landed = Found;

    fn land(&self, found: Found) -> Found {
        let Tenants { known, bounds, clock, .. } = &self.tenants;
        lock(known).land(&self.tenant, self.number, &found, clock.monotonic(), bounds);
        found
    }

    fn broken_off() -> Found {
        BROKEN_OFF
    }
}

/// Layers were set up by the builder's scheme and tolerance, and count deliveries by its tenant.
fn is_alike(verifier: &Verifier, like: &Verifier, tenant: &str) -> bool {
    let window = |verifier: &Verifier| verifier.tolerance().map(|tolerance| tolerance.window());
    verifier.is_of_scheme_of(like) && verifier.tenant() == Some(tenant) && window(verifier) <= window(like)
}
