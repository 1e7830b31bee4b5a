//! The way of a request: normalise, route, rewrite, access, dispatch, deliver. The settlement follows by itself
//! when the exchange is dropped.

use std::rc::Rc;

use http::StatusCode;
use hyper::body::Incoming;

use crate::admission::Prospect;
use crate::answer::Answer;
use crate::delivery::{self, Delivery};
use crate::exchange::{Connection, Dispatch, Exchange};
use crate::plan::chain::Scope;
use crate::plan::{ChainRef, Plan};
use crate::plugin::Needs;
use crate::request_body::RequestBody;
use crate::worker::Worker;
use crate::{admission, inference, proxy, stub_status, websocket};

/// What a request that matches no route gets.
const NO_ROUTE: &[u8] = b"{\"error_msg\":\"404 Route Not Found\"}\n";

/// Serves one request.
pub async fn serve(
    worker: Rc<Worker>,
    connection: Rc<Connection>,
    mut incoming: http::Request<Incoming>,
) -> http::Response<Delivery> {
    let upgrade = websocket::take_upgrade(&mut incoming);
    let mut exchange = admission::begin(&worker, connection, incoming);
    let prospect = match admission::admit(&worker, &mut exchange).await {
        Ok(prospect) => prospect,
        Err(refusal) => return delivery::answer(exchange, refusal),
    };
    if stub_status::is_reserved(exchange.request.path()) {
        let totals = worker.services.metrics.traffic().totals();
        let answer = stub_status::answer(&exchange.request.method, exchange.remote_addr, totals);
        return delivery::answer(exchange, answer);
    }
    if prospect == Prospect::Open {
        exchange.route = Plan::route(&exchange);
    }
    match request_phases(&worker, &mut exchange, prospect).await {
        Some(answer) => delivery::answer(exchange, answer),
        None => dispatch(worker, exchange, upgrade).await,
    }
}

/// Global rules, the route's plugins, the consumer's plugins; an answer ends the request.
async fn request_phases(worker: &Worker, exchange: &mut Exchange, mut prospect: Prospect) -> Option<Answer> {
    if exchange.plan.is_broken() {
        return Some(Answer::page(StatusCode::SERVICE_UNAVAILABLE));
    }
    let plan = exchange.plan.clone();
    let global = plan.global_chain();
    let Some(route) = exchange.route.as_ref().map(|matched| matched.route.clone()) else {
        if let Some(answer) = global.rewrite(exchange, Scope::Global).await {
            return Some(answer);
        }
        if let Some(answer) = global.access(exchange, Scope::Global).await {
            return Some(answer);
        }
        return Some(Answer::text(StatusCode::NOT_FOUND, NO_ROUTE));
    };
    if let Some(status) = route.broken {
        return Some(Answer::page(status));
    }
    exchange.chain = ChainRef::Route(route.clone());
    let needs = global.needs().merge(route.chain.needs());
    if is_wanted(exchange, needs) && admission::takes_room(exchange) && plan.refuses_unread(exchange, &route.chain) {
        prospect = Prospect::Refusal;
    }
    match prospect {
        Prospect::Refusal => {}
        Prospect::Open => {
            if let Err(refusal) = read_needed_body(worker, exchange, needs).await {
                return Some(refusal);
            }
        }
    }
    if let Some(answer) = global.rewrite(exchange, Scope::Global).await {
        return Some(answer);
    }
    if let Some(answer) = route.chain.rewrite(exchange, Scope::Route).await {
        return Some(answer);
    }
    if prospect == Prospect::Refusal {
        // A token that was too young a moment ago: nothing may follow, for which the body should have been read.
        return Some(Answer::page(StatusCode::UNAUTHORIZED));
    }
    if let Some(answer) = join_consumer(worker, exchange).await {
        return Some(answer);
    }
    if let Some(answer) = global.access(exchange, Scope::Global).await {
        return Some(answer);
    }
    let chain = exchange.chain.clone();
    chain.access(exchange, Scope::Route).await
}

/// Puts the attached consumer's plugins over the route's and runs the `rewrite` of those that are new.
async fn join_consumer(worker: &Worker, exchange: &mut Exchange) -> Option<Answer> {
    let consumer = &exchange.consumer.as_ref()?.consumer;
    if consumer.group_missing {
        return Some(Answer::page(StatusCode::SERVICE_UNAVAILABLE));
    }
    let route = exchange.route.as_ref()?.route.clone();
    let merged = route.chain_for(consumer)?;
    exchange.chain = ChainRef::Merged(merged.clone());
    if let Err(refusal) = read_needed_body(worker, exchange, merged.needs()).await {
        return Some(refusal);
    }
    merged.rewrite_added(exchange, &route.chain).await
}

/// Reads the body ahead of the phases of plugins that look into it.
async fn read_needed_body(worker: &Worker, exchange: &mut Exchange, needs: Needs) -> Result<(), Answer> {
    if is_wanted(exchange, needs) {
        return admission::read_body(worker, exchange).await;
    }
    Ok(())
}

/// `true` if plugins look into a body that is still unread.
fn is_wanted(exchange: &Exchange, needs: Needs) -> bool {
    let needed = needs.body_before_rewrite || needs.request_body_bytes > 0;
    needed && matches!(exchange.body, RequestBody::Stream(_))
}

async fn dispatch(
    worker: Rc<Worker>,
    mut exchange: Box<Exchange>,
    upgrade: Option<websocket::Upgrade>,
) -> http::Response<Delivery> {
    keep_request_body(&mut exchange);
    match exchange.dispatch.clone() {
        Dispatch::Llm(backend) => {
            if let Some(answer) = before_proxy(&mut exchange) {
                return delivery::answer(exchange, answer);
            }
            let opens_tunnel = exchange.llm.as_ref().is_some_and(|call| call.opens_tunnel());
            if let Some(upgrade) = upgrade.filter(|upgrade| opens_tunnel && upgrade.is_websocket()) {
                return Box::pin(websocket::tunnel(worker, exchange, upgrade)).await;
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
    let plan = exchange.plan.clone();
    if let Some(answer) = plan.global_chain().before_proxy(exchange, Scope::Global) {
        return Some(answer);
    }
    let chain = exchange.chain.clone();
    chain.before_proxy(exchange, Scope::Route)
}

/// Keeps the first bytes of the request body where a plugin wants them for its log.
fn keep_request_body(exchange: &mut Exchange) {
    let keep = exchange.needs().request_body_bytes;
    if keep > 0
        && let RequestBody::Buffered(body) = &exchange.body
    {
        exchange.captured_request = Some(body.slice(..body.len().min(keep)));
    }
}
