//! What merchants have for it: signed requests and refunds out of `merchant`.

use axum::http::{Method, StatusCode};
use x402_escrow_merchant::{refund_payment, signed::Asker};

use super::{ask, listed};
use crate::world::{HOST, MERCHANT, World, signing_key};

#[tokio::test]
async fn what_the_merchants_crate_signs_opens_its_books() {
    let world = World::new().await;
    let id = world.authorize(1000, 1).await;
    world.until_booked(id, "held").await;
    let asker = Asker {
        verifier: format!("https://{HOST}"),
        receiver: world.merchant().into(),
        key: signing_key(MERCHANT),
    };
    let parameters = [("outcome", "held".to_owned()), ("limit", "5".to_owned())];
    let url = asker.url("GET", "/payments", &parameters, world.app.now()).unwrap();
    let target = url.strip_prefix(&format!("https://{HOST}")).unwrap();
    let (status, _, body) = ask(&world, Method::GET, target).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert!(body.contains(&id.to_string()), "{body}");
}

#[tokio::test]
async fn a_refund_out_of_the_merchants_crate_is_made_once_and_booked() {
    let world = World::new().await;
    let id = world.authorize(1000, 1).await;
    world.settled(&world.capture(id, 1000, true)).await;
    let url = world.listen().await;
    for (amount, outcome) in [(300, "partly_refunded"), (1000, "refunded")] {
        let key = signing_key(MERCHANT);
        let answer = refund_payment(&url, &key, world.mint.into(), id, amount).await.unwrap();
        assert!(answer.success, "{answer:?}");
        world.until_booked(id, outcome).await;
    }
    let again = refund_payment(&url, &signing_key(MERCHANT), world.mint.into(), id, 1000).await;
    assert!(again.unwrap_err().to_string().contains("refunded already"));
    let totals = listed(&world, "/totals").await;
    assert_eq!(totals["totals"][0]["refunded"], "1000", "{totals}");
    let listed = listed(&world, "/payments?outcome=refunded").await;
    assert_eq!(listed["payments"][0]["paymentId"], id.to_string(), "{listed}");
}
