use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::runtime::Handle;

use super::server::TokenServer;
use super::world;
use crate::inference::credentials::fetch::FetchError;
use crate::inference::credentials::google::{GoogleConfig, GoogleTokens};
use crate::inference::credentials::token_cache::{Lease, Source, TokenCache};

const HOUR: Duration = Duration::from_secs(3600);

type Fetched = Result<Lease<u32>, FetchError>;

/// Gives what it was told to give, in order, and then nothing.
#[derive(Clone)]
struct Script(Arc<Mutex<VecDeque<Fetched>>>);

impl Script {
    fn of<const N: usize>(fetches: [Fetched; N]) -> Self {
        Self(Arc::new(Mutex::new(fetches.into())))
    }

    fn left(&self) -> usize {
        self.0.lock().len()
    }

    fn cache(&self) -> TokenCache<Script> {
        TokenCache::new(self.clone(), Handle::current())
    }
}

impl Source for Script {
    type Value = u32;

    async fn fetch(&self) -> Fetched {
        self.0.lock().pop_front().unwrap_or(Err(FetchError::Unset("the script")))
    }
}

fn lease(value: u32, renew_after: Duration, fresh_for: Duration, valid_for: Duration) -> Fetched {
    Ok(Lease { value, renew_after, fresh_for, valid_for })
}

fn failure() -> Fetched {
    Err(FetchError::Unset("X"))
}

async fn get(cache: &TokenCache<Script>) -> Result<u32, String> {
    cache.get().await.map(|value| *value).map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_fresh_value_is_fetched_once() {
    let script = Script::of([lease(1, HOUR, HOUR, HOUR), lease(2, HOUR, HOUR, HOUR)]);
    let cache = script.cache();
    assert_eq!((get(&cache).await, get(&cache).await, script.left()), (Ok(1), Ok(1), 1));
}

#[tokio::test]
async fn a_value_near_its_end_is_renewed_behind_the_requests() {
    let script = Script::of([lease(1, Duration::ZERO, HOUR, HOUR), lease(2, HOUR, HOUR, HOUR)]);
    let cache = script.cache();
    assert_eq!((get(&cache).await, get(&cache).await), (Ok(1), Ok(1)));
    while get(&cache).await != Ok(2) {
        tokio::task::yield_now().await;
    }
    assert_eq!(script.left(), 0);
}

#[tokio::test]
async fn a_value_that_is_not_fresh_is_waited_for() {
    let script = Script::of([lease(1, Duration::ZERO, Duration::ZERO, HOUR), lease(2, HOUR, HOUR, HOUR)]);
    let cache = script.cache();
    assert_eq!((get(&cache).await, get(&cache).await), (Ok(1), Ok(2)));
}

#[tokio::test]
async fn a_failed_renewal_keeps_what_is_still_valid_and_pauses() {
    let script = Script::of([lease(1, Duration::ZERO, Duration::ZERO, HOUR), failure(), lease(2, HOUR, HOUR, HOUR)]);
    let cache = script.cache();
    assert_eq!((get(&cache).await, get(&cache).await), (Ok(1), Ok(1)));
    assert_eq!((get(&cache).await, script.left()), (Ok(1), 1), "the pause is over too early");
}

#[tokio::test]
async fn a_failed_renewal_of_what_has_expired_is_an_error_and_tried_again() {
    let expired = lease(1, Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let cache = Script::of([expired, failure(), lease(2, HOUR, HOUR, HOUR)]).cache();
    let gets = (get(&cache).await, get(&cache).await, get(&cache).await);
    assert_eq!(gets, (Ok(1), Err("X is not set".to_owned()), Ok(2)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn all_who_need_a_token_wait_for_one_request() {
    let (release, released) = mpsc::channel();
    let server = TokenServer::answering(move |_| {
        released.recv().expect("a release");
        (200, r#"{"access_token": "t", "expires_in": 3600}"#.to_owned())
    });
    let host = server.authority();
    let config = GoogleConfig { service_account_json: None, max_ttl: None, expire_early: Duration::ZERO };
    let tokens = GoogleTokens::new(config, world(&[("GCE_METADATA_HOST", &host)]));
    let cache = TokenCache::new(tokens, Handle::current());
    let asked_and_released = async {
        while server.asked().is_empty() {
            tokio::task::yield_now().await;
        }
        release.send(()).expect("the server waits");
    };
    let (values, ()) = tokio::join!(join_all((0..8).map(|_| cache.get())), asked_and_released);
    assert!(values.iter().all(|value| value.as_deref().is_ok_and(|value| value == "Bearer t")), "{values:?}");
    assert_eq!(server.asked().len(), 1);
}
