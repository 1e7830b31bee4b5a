//! The way of a request: normalise, route, rewrite, access, dispatch, deliver. The settlement follows by itself
//! when the exchange is dropped.

use std::rc::Rc;

use http::header::HOST;
use http::{StatusCode, Version};
use hyper::body::Incoming;

use crate::answer::Answer;
use crate::delivery::{self, Delivery};
use crate::exchange::{Connection, Dispatch, Exchange, Request};
use crate::path::NormalPath;
use crate::plan::chain::Scope;
use crate::request_body::{BodyError, RequestBody};
use crate::worker::Worker;
use crate::{inference, proxy, websocket};

/// What a request that matches no route gets.
const NO_ROUTE: &[u8] = b"{\"error_msg\":\"404 Route Not Found\"}\n";

/// Serves one request.
pub async fn serve(
    worker: Rc<Worker>,
    connection: Rc<Connection>,
    mut incoming: http::Request<Incoming>,
) -> http::Response<Delivery> {
    let upgrade = websocket::take_upgrade(&mut incoming);
    let mut exchange = begin(&worker, connection, incoming);
    let settings = &worker.services.settings.apisix;
    match NormalPath::new(&exchange.request.uri) {
        Ok(path) if has_one_host(&exchange.request) => {
            exchange.request.path =
                if settings.delete_uri_tail_slash { path.without_tail_slash(&exchange.request.uri) } else { path };
        }
        _ => return delivery::answer(exchange, Answer::page(StatusCode::BAD_REQUEST)),
    }
    if let Some(refusal) = refuse_body(&worker, &mut exchange).await {
        return delivery::answer(exchange, refusal);
    }
    exchange.route = exchange.plan.route(&exchange);
    match request_phases(&worker, &mut exchange).await {
        Some(answer) => delivery::answer(exchange, answer),
        None => dispatch(worker, exchange, upgrade).await,
    }
}

fn begin(worker: &Worker, connection: Rc<Connection>, incoming: http::Request<Incoming>) -> Box<Exchange> {
    let (parts, body) = incoming.into_parts();
    let request = Request {
        length: head_length(&parts),
        method: parts.method,
        uri: parts.uri,
        version: parts.version,
        headers: parts.headers,
        path: NormalPath::AsSent,
    };
    Exchange::new(connection, request, RequestBody::new(body), worker.plan.load_full())
}

/// The bytes of the request line and headers, as they stood on the wire.
fn head_length(parts: &http::request::Parts) -> u64 {
    let line = parts.method.as_str().len() + parts.uri.path_and_query().map_or(1, |path| path.as_str().len()) + 12;
    let headers: usize = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    (line + headers + 2) as u64
}

/// RFC 9112: a request of HTTP/1.1 has exactly one Host header.
fn has_one_host(request: &Request) -> bool {
    match request.version {
        Version::HTTP_11 => request.headers.get_all(HOST).iter().count() == 1,
        Version::HTTP_10 | Version::HTTP_09 => request.headers.get_all(HOST).iter().count() <= 1,
        _ => true,
    }
}

/// Refuses bodies that are too long by their own account, and reads the body where routing looks into it.
async fn refuse_body(worker: &Worker, exchange: &mut Exchange) -> Option<Answer> {
    let limit = worker.services.settings.nginx_config.http.client_max_body_size;
    if limit > 0 {
        let announced = exchange.request.header("content-length").and_then(|text| text.parse::<u64>().ok());
        if announced.is_some_and(|length| length > limit) {
            return Some(Answer::page(StatusCode::PAYLOAD_TOO_LARGE));
        }
    }
    if exchange.plan.reads_bodies() { read_body(worker, exchange).await } else { None }
}

/// Reads the whole body ahead of the phase that needs it.
async fn read_body(worker: &Worker, exchange: &mut Exchange) -> Option<Answer> {
    let read = exchange.body.read(worker.max_buffered_body(), worker.client_body_timeout()).await;
    match read {
        Ok(_) => None,
        Err(BodyError::TooLarge { .. }) => Some(Answer::page(StatusCode::PAYLOAD_TOO_LARGE)),
        Err(BodyError::Timeout(_)) => Some(Answer::page(StatusCode::REQUEST_TIMEOUT)),
        Err(BodyError::Broken | BodyError::Sent) => Some(Answer::page(StatusCode::BAD_REQUEST)),
    }
}

/// Global rules, the route's plugins, the consumer's plugins; an answer ends the request.
async fn request_phases(worker: &Worker, exchange: &mut Exchange) -> Option<Answer> {
    let global = exchange.plan.global_chain().clone();
    let Some(matched) = exchange.route.clone() else {
        if let Some(answer) = global.rewrite(exchange, Scope::Global).await {
            return Some(answer);
        }
        if let Some(answer) = global.access(exchange, Scope::Global).await {
            return Some(answer);
        }
        return Some(Answer::text(StatusCode::NOT_FOUND, NO_ROUTE));
    };
    let route = &matched.route;
    if let Some(status) = route.broken {
        return Some(Answer::page(status));
    }
    exchange.chain = route.chain.clone();
    let needs = global.needs().merge(route.chain.needs());
    if (needs.body_before_rewrite || needs.request_body_bytes > 0)
        && let Some(refusal) = read_body(worker, exchange).await
    {
        return Some(refusal);
    }
    if let Some(answer) = global.rewrite(exchange, Scope::Global).await {
        return Some(answer);
    }
    if let Some(answer) = route.chain.rewrite(exchange, Scope::Route).await {
        return Some(answer);
    }
    if let Some(answer) = join_consumer(exchange).await {
        return Some(answer);
    }
    if let Some(answer) = global.access(exchange, Scope::Global).await {
        return Some(answer);
    }
    let chain = exchange.chain.clone();
    chain.access(exchange, Scope::Route).await
}

/// Puts the attached consumer's plugins over the route's and runs the `rewrite` of those that are new.
async fn join_consumer(exchange: &mut Exchange) -> Option<Answer> {
    let consumer = exchange.consumer.as_ref()?.consumer.clone();
    if consumer.group_missing {
        return Some(Answer::page(StatusCode::SERVICE_UNAVAILABLE));
    }
    let route = exchange.route.as_ref()?.route.clone();
    let merged = route.chain_for(&consumer);
    if std::sync::Arc::ptr_eq(&merged, &route.chain) {
        return None;
    }
    exchange.chain = merged.clone();
    merged.rewrite_added(exchange, &route.chain).await
}

async fn dispatch(
    worker: Rc<Worker>,
    mut exchange: Box<Exchange>,
    upgrade: Option<hyper::upgrade::OnUpgrade>,
) -> http::Response<Delivery> {
    keep_request_body(&mut exchange);
    let dispatch = exchange.dispatch.clone();
    match dispatch {
        Dispatch::Llm(backend) => {
            if let Some(answer) = before_proxy(&mut exchange) {
                return delivery::answer(exchange, answer);
            }
            match Box::pin(inference::dispatch(&worker, &backend, &mut exchange)).await {
                Ok((head, source)) => delivery::deliver(exchange, head, source),
                Err(answer) => delivery::answer(exchange, answer),
            }
        }
        Dispatch::Upstream => {
            let websocket = exchange.route.as_ref().is_some_and(|matched| matched.route.enable_websocket);
            if let Some(upgrade) = upgrade.filter(|_| websocket) {
                return Box::pin(websocket::tunnel(worker, exchange, upgrade)).await;
            }
            match proxy::dispatch(&worker, &mut exchange).await {
                Ok((head, body)) => delivery::deliver(exchange, head, delivery::Source::Upstream(body)),
                Err(answer) => delivery::answer(exchange, answer),
            }
        }
    }
}

/// Runs `before_proxy` of all plugins.
pub fn before_proxy(exchange: &mut Exchange) -> Option<Answer> {
    let global = exchange.plan.global_chain().clone();
    if let Some(answer) = global.before_proxy(exchange, Scope::Global) {
        return Some(answer);
    }
    let chain = exchange.chain.clone();
    chain.before_proxy(exchange, Scope::Route)
}

/// Keeps the first bytes of the request body where a plugin wants them for its log.
fn keep_request_body(exchange: &mut Exchange) {
    let keep = exchange.plan.global_chain().needs().merge(exchange.chain.needs()).request_body_bytes;
    if keep > 0
        && let RequestBody::Buffered(body) = &exchange.body
    {
        exchange.captured_request = Some(body.slice(..body.len().min(keep)));
    }
}
