//! One credential that expires, shared by all workers.
//!
//! Invariants: at most one fetch is under way, and all who need its result wait for that one; a fetch runs on the side
//! runtime, so a client that leaves ends none; what is still valid is used rather than failing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::fetch::FetchError;

/// A fetch as a whole may take this long.
const FETCH_LIMIT: Duration = Duration::from_secs(20);

/// After a failed fetch, what is still valid is used this long before the next one.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Longer than any process lives.
const ALWAYS: Duration = Duration::from_secs(30 * 365 * 86_400);

/// Where a credential comes from.
pub(super) trait Source: Send + Sync + 'static {
    type Value: Send + Sync + 'static;

    /// Gets a new one.
    fn fetch(&self) -> impl Future<Output = Result<Lease<Self::Value>, FetchError>> + Send;
}

/// A credential and how long it is good for, counted from when it was fetched.
#[derive(Debug)]
pub(super) struct Lease<T> {
    pub value: T,
    /// From then on the next one is fetched, behind the requests' backs.
    pub renew_after: Duration,
    /// From then on requests wait for the next one.
    pub fresh_for: Duration,
    /// From then on it is refused by whom it is for.
    pub valid_for: Duration,
}

impl<T> Lease<T> {
    /// Of a value that is refused after `lifetime`: fresh until a minute (or a tenth) before, renewed five
    /// minutes (or a fifth) earlier.
    pub(super) fn expiring(value: T, lifetime: Duration) -> Self {
        let fresh_for = lifetime - (lifetime / 10).min(Duration::from_secs(60));
        Self::fresh(value, fresh_for, lifetime)
    }

    /// Of a value that is refused after `valid_for`, and that is to be used no longer than `fresh_for`.
    pub(super) fn fresh(value: T, fresh_for: Duration, valid_for: Duration) -> Self {
        let renew_after = fresh_for - (fresh_for / 5).min(Duration::from_secs(300));
        Self { value, renew_after, fresh_for, valid_for }
    }

    /// Of a value that may be another when it is looked up `period` later, but never expires.
    pub(super) fn looked_up(value: T, period: Duration) -> Self {
        Self { value, renew_after: period, fresh_for: ALWAYS, valid_for: ALWAYS }
    }
}

/// The cache of one credential.
pub(super) struct TokenCache<S: Source> {
    shared: Arc<Shared<S>>,
    side: Handle,
}

struct Shared<S: Source> {
    source: S,
    held: ArcSwapOption<Held<S::Value>>,
    /// The last fetch; over if its other end is gone.
    flight: Mutex<Option<Flight<S::Value>>>,
}

struct Held<T> {
    value: Arc<T>,
    renew_at: Instant,
    fresh_until: Instant,
    valid_until: Instant,
}

type Fetched<T> = Result<Arc<T>, Arc<FetchError>>;
type Flight<T> = watch::Receiver<Option<Fetched<T>>>;

impl<S: Source> TokenCache<S> {
    /// An empty cache of what `source` gives; `side` runs the fetches.
    pub(super) fn new(source: S, side: Handle) -> Self {
        let shared = Shared { source, held: ArcSwapOption::empty(), flight: Mutex::default() };
        Self { shared: Arc::new(shared), side }
    }

    /// The credential: at once as long as it is fresh, else after a fetch.
    ///
    /// # Errors
    /// Why the fetch failed, if there is nothing valid from before.
    pub(super) async fn get(&self) -> Fetched<S::Value> {
        let now = Instant::now();
        let held = self.shared.held.load_full();
        match held {
            Some(held) if now < held.renew_at => Ok(held.value.clone()),
            Some(held) if now < held.fresh_until => {
                self.fetch();
                Ok(held.value.clone())
            }
            stale => match (Self::landed(self.fetch()).await, stale) {
                (Err(_), Some(stale)) if Instant::now() < stale.valid_until => Ok(stale.value.clone()),
                (fetched, _) => fetched,
            },
        }
    }

    /// The fetch under way, or a new one.
    fn fetch(&self) -> Flight<S::Value> {
        let mut flight = self.shared.flight.lock();
        // Closed only after what it brought is held.
        if let Some(under_way) = flight.as_ref().filter(|flight| flight.has_changed().is_ok()) {
            return under_way.clone();
        }
        if let Some(held) = self.shared.held.load_full().filter(|held| Instant::now() < held.renew_at) {
            return watch::channel(Some(Ok(held.value.clone()))).1;
        }
        let (landing, begun) = watch::channel(None);
        let shared = self.shared.clone();
        self.side.spawn(async move {
            let fetched = shared.fetch_and_hold().await;
            landing.send_replace(Some(fetched));
        });
        *flight = Some(begun.clone());
        begun
    }

    async fn landed(mut flight: Flight<S::Value>) -> Fetched<S::Value> {
        match flight.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(fetched)) => fetched.clone(),
            Ok(None) | Err(_) => Err(Arc::new(FetchError::Abandoned)),
        }
    }
}

impl<S: Source> Shared<S> {
    async fn fetch_and_hold(&self) -> Fetched<S::Value> {
        let fetched = tokio::time::timeout(FETCH_LIMIT, self.source.fetch()).await;
        match fetched.unwrap_or(Err(FetchError::Slow(FETCH_LIMIT))) {
            Ok(lease) => {
                let held = Held::new(lease);
                let value = held.value.clone();
                self.held.store(Some(Arc::new(held)));
                Ok(value)
            }
            Err(error) => {
                tracing::warn!(%error, "a credential for a provider could not be fetched");
                if let Some(held) = self.held.load_full() {
                    self.held.store(Some(Arc::new(held.paused())));
                }
                Err(Arc::new(error))
            }
        }
    }
}

impl<T> Held<T> {
    fn new(lease: Lease<T>) -> Self {
        let now = Instant::now();
        Self {
            value: Arc::new(lease.value),
            renew_at: now + lease.renew_after.min(ALWAYS),
            fresh_until: now + lease.fresh_for.min(ALWAYS),
            valid_until: now + lease.valid_for.min(ALWAYS),
        }
    }

    /// Left alone for a while.
    fn paused(&self) -> Self {
        let renew_at = (Instant::now() + PAUSE_AFTER_FAILURE).min(self.valid_until);
        Self { value: self.value.clone(), renew_at, ..*self }
    }
}
