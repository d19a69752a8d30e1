//! PostgreSQL dies while payments run.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use axum::http::StatusCode;
use futures_util::{StreamExt, stream};
use serde_json::Value;
use tokio::{task::spawn_blocking, time::sleep};

use super::{leads, server::Server};
use crate::world::{Options, World};

const AMOUNT: u64 = 10_000;
const PAYMENTS: u64 = 100;

#[tokio::test]
#[ignore = "needs PostgreSQL's programs"]
async fn a_database_that_is_killed_loses_no_yes_and_everything_goes_on() {
    let server = Server::start();
    let options = Options { settle_timeout: Duration::from_secs(20), ..Options::default() };
    let world = World::on(&server.url(), options).await;
    leads(&world).await;
    let requirements = world.requirements(AMOUNT);
    let bodies: Vec<_> = (1..=PAYMENTS).map(|nonce| world.body(&requirements, nonce)).collect();
    let bought = AtomicUsize::new(0);
    let settle = async |body| {
        let (status, answer) = world.post("/settle", body).await;
        if answer["success"] == true {
            bought.fetch_add(1, Ordering::Relaxed);
        }
        (status, answer)
    };
    let settling = stream::iter(&bodies).map(settle).buffered(20).collect::<Vec<_>>();
    let dying = async {
        while bought.load(Ordering::Relaxed) < 10 {
            sleep(Duration::from_millis(5)).await;
        }
        let killed = spawn_blocking(move || {
            server.kill();
            server
        });
        let server = killed.await.unwrap();
        sleep(Duration::from_secs(2)).await;
        let resumed = spawn_blocking(move || {
            server.resume();
            server
        });
        resumed.await.unwrap()
    };
    let (answers, _server) = tokio::join!(settling, dying);

    leads(&world).await;
    for ((status, answer), body) in answers.iter().zip(&bodies) {
        if answer["success"] == true {
            assert_eq!(*status, StatusCode::OK);
            let payment = world.payment(world.payment_id(body)).await;
            assert_eq!(payment["state"], "authorized", "a yes was lost: {payment:#}");
        }
    }
    let failed = |answer: &Value| answer["errorReason"] == "unexpected_settle_error";
    assert!(answers.iter().any(|(_, answer)| failed(answer)), "it was not killed in the middle: {answers:?}");
    stream::iter(&bodies).map(|body| world.settled(body)).buffered(20).collect::<Vec<_>>().await;
    assert_eq!(world.escrow_account().held, PAYMENTS * AMOUNT);
    let count = i64::try_from(PAYMENTS).unwrap();
    assert_eq!(world.rows().await[..2], [count, count]);
}
