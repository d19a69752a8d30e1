//! Three nodes, of which one is not well.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use x402_escrow_domain::cluster::Consensus;
use x402_escrow_verifier::chain::{Chain, Several};
use x402_escrow_wire::auth_capture::Commitment;

use crate::{
    nodes::{Fault, Node},
    wait,
    world::{Options, World},
};

/// How long the node that hangs is waited for.
const HALF_A_SECOND: Duration = Duration::from_millis(500);

struct Setting {
    world: World,
    nodes: [Arc<Node>; 3],
}

impl Setting {
    async fn new(commitment: Commitment) -> Self {
        let options =
            Options { commitment, settle_timeout: Duration::from_millis(1500), ..Options::default() };
        let mut nodes = None;
        let world = World::through(options, async |cluster| {
            let own = [(); 3].map(|()| Node::new(cluster));
            let named = ["a", "b", "c"].into_iter().zip(own.clone());
            nodes = Some(own);
            let named = named.map(|(name, node)| (name.to_owned(), node as Arc<dyn Chain>));
            Arc::new(Several::connect(named.collect()).await.unwrap()) as Arc<dyn Chain>
        })
        .await;
        Self { world, nodes: nodes.unwrap() }
    }

    /// What is wrong with each node.
    async fn wrong(&self) -> [String; 3] {
        let (_, health) = self.world.get("/health").await;
        [0, 1, 2].map(|node| health["nodes"][node]["wrong"].as_str().unwrap_or_default().to_owned())
    }

    /// Waits until this is wrong with node c, and nothing with the others.
    async fn wrong_is(&self, expected: &str) {
        wait::until(&format!("{expected:?}"), async || self.wrong().await == ["", "", expected]).await;
    }
}

#[tokio::test]
async fn one_node_of_three_that_fails_is_left_out_and_comes_back() {
    for (fault, wrong) in [
        (Fault::Down, "does not answer: it can't be reached"),
        (Fault::Slots(-31), "is 31 slots behind the others"),
        (Fault::Slots(31), "claims to be 31 slots ahead of the others"),
        (
            Fault::ElsewhereId,
            "is of another cluster, with the genesis hash 5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d",
        ),
    ] {
        let setting = Setting::new(Commitment::Confirmed).await;
        setting.wrong_is("").await;
        setting.nodes[2].break_with(fault);
        setting.wrong_is(wrong).await;
        setting.world.authorize(1000, 1).await;
        setting.nodes[2].break_with(Fault::None);
        setting.wrong_is("").await;
    }
}

#[tokio::test]
async fn a_node_that_hangs_delays_one_request_by_half_a_second_and_no_more() {
    let settings = [(); 3].map(|()| Setting::new(Commitment::Confirmed));
    let settings = futures_util::future::join_all(settings).await;
    let authorize = async |setting: usize, nonce: u64| {
        let started = Instant::now();
        settings[setting].world.authorize(1000, nonce).await;
        started.elapsed()
    };
    let well = wait::quickest_of_three(async |number| authorize(0, 1 + number).await).await;
    let first = wait::quickest_of_three(async |number| {
        let setting = usize::try_from(number).unwrap();
        settings[setting].nodes[2].break_with(Fault::Hangs);
        authorize(setting, 4).await
    })
    .await;
    let again = wait::quickest_of_three(async |number| authorize(0, 5 + number).await).await;
    // A payment takes more requests to the nodes than four.
    let each = well + 4 * HALF_A_SECOND;
    assert!(first < each && again < each, "{first:?} and {again:?}, and {well:?} while the node was well");
}

#[tokio::test]
async fn one_call_that_fails_does_not_exclude_a_node() {
    let requests = ["getMultipleAccounts", "getLatestBlockhash", "getEpochInfo", "getSignatureStatuses"];
    for fault in requests.map(Fault::BreaksOnce).into_iter().chain([Fault::LacksBlocks]) {
        let setting = Setting::new(Commitment::Confirmed).await;
        setting.nodes[2].break_with(fault);
        for nonce in 1..=3 {
            setting.world.authorize(1000, nonce).await;
            assert_eq!(setting.wrong().await, ["", "", ""], "{fault:?}");
        }
    }
}

#[tokio::test]
async fn no_node_says_alone_how_long_a_blockhash_lives() {
    let setting = Setting::new(Commitment::Confirmed).await;
    let true_one = setting.world.cluster.blockhash().await.unwrap();
    for longer in [200, -200] {
        setting.nodes[2].break_with(Fault::BlockhashLives(longer));
        let named = setting.nodes.clone().map(|node| ("node".to_owned(), node as Arc<dyn Chain>));
        let several = Several::connect(named.to_vec()).await.unwrap();
        for _ in 0..3 {
            assert_eq!(several.blockhash().await.unwrap(), true_one, "{longer}");
        }
        // With one node silent, nothing tells which of two is right.
        setting.nodes[1].break_with(Fault::Breaks("getLatestBlockhash"));
        let error = several.blockhash().await.unwrap_err().to_string();
        assert!(error.contains("the nodes disagree"), "{longer}: {error}");
        setting.nodes[1].break_with(Fault::None);
    }
}

#[tokio::test]
async fn a_node_that_fails_again_and_again_is_left_out_although_it_says_that_it_is_well() {
    let setting = Setting::new(Commitment::Confirmed).await;
    setting.nodes[2].break_with(Fault::Breaks("getSignatureStatuses"));
    setting.world.authorize(1000, 1).await;
    setting.wrong_is("failed 3 times within 10 seconds: the connection broke").await;
    setting.nodes[2].break_with(Fault::None);
    setting.wrong_is("").await;
}

#[tokio::test]
async fn a_disputed_transaction_keeps_only_its_own_operation_waiting() {
    let setting = Setting::new(Commitment::Confirmed).await;
    setting.world.cluster.state().loses_transactions = true;
    let lost = setting.world.body(&setting.world.requirements(1000), 1);
    setting.world.settle(&lost).await;
    let sent = setting.world.cluster.distinct_sent();
    // No node but one has it, when it can't land any more.
    setting.nodes[2].break_with(Fault::ClaimsFinal);
    setting.world.cluster.outlive_blockhash();
    setting.world.cluster.state().loses_transactions = false;
    setting.world.authorize(1000, 2).await;
    let (status, health) = setting.world.get("/health").await;
    assert_eq!(status, 200, "{health}");
    assert_eq!(setting.world.cluster.distinct_sent(), sent + 1, "what may have landed is not made anew");
    setting.nodes[2].break_with(Fault::None);
    setting.world.settled(&lost).await;
}

#[tokio::test]
async fn one_node_can_not_make_a_payment_final() {
    let setting = Setting::new(Commitment::Finalized).await;
    setting.nodes[2].break_with(Fault::ClaimsFinal);
    let body = setting.world.body(&setting.world.requirements(1000), 1);
    setting.world.settle(&body).await;
    let is_confirmed = |payment: &Value| payment["operations"][0]["status"] == "confirmed";
    setting.world.until(setting.world.payment_id(&body), is_confirmed).await;
    let answer = setting.world.settle(&body).await;
    assert_eq!(
        (&answer["success"], &answer["extra"]["status"]),
        (&json!(false), &json!("confirmed")),
        "{answer}"
    );
    setting.world.cluster.state().level = Commitment::Finalized;
    setting.world.settled(&body).await;
}

#[tokio::test]
async fn one_node_can_not_hide_a_transaction_and_is_left_out_for_trying() {
    let setting = Setting::new(Commitment::Finalized).await;
    setting.world.cluster.state().level = Commitment::Finalized;
    setting.nodes[2].break_with(Fault::Denies);
    setting.world.authorize(1000, 1).await;
    assert_eq!(setting.wrong().await[2], "contradicted the others at getSignatureStatuses");
    assert_eq!(setting.world.cluster.distinct_sent(), 1);
}

/// Under Alpenglow a block is final before every node has it.
#[tokio::test]
async fn a_node_that_has_not_come_to_a_final_block_is_slow_and_no_liar() {
    let setting = Setting::new(Commitment::Finalized).await;
    setting.world.cluster.state().level = Commitment::Finalized;
    setting.nodes[2].break_with(Fault::Lags);
    setting.world.authorize(1000, 1).await;
    assert_eq!(setting.wrong().await, ["", "", ""]);
}

#[tokio::test]
async fn the_consensus_is_asked_for_when_a_node_is_back_and_not_only_from_time_to_time() {
    let setting = Setting::new(Commitment::Confirmed).await;
    setting.wrong_is("").await;
    setting.nodes[2].break_with(Fault::Down);
    setting.wrong_is("does not answer: it can't be reached").await;
    // That it is gone is a reason to ask too.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    setting.world.cluster.state().consensus = Consensus::Alpenglow;
    setting.nodes[2].break_with(Fault::None);
    let since = Instant::now();
    let is_known = async || setting.world.app.cluster.consensus() == Consensus::Alpenglow;
    wait::until("the consensus", is_known).await;
    assert!(since.elapsed() < Duration::from_secs(25), "{:?}", since.elapsed());
}

#[tokio::test]
async fn where_nodes_disagree_about_the_consensus_what_they_told_before_holds() {
    let setting = Setting::new(Commitment::Confirmed).await;
    let app = &setting.world.app;
    setting.world.cluster.state().consensus = Consensus::Alpenglow;
    app.cluster.ask(app.chain.as_ref()).await;
    setting.nodes[1].break_with(Fault::Breaks("getAgGenesisCert"));
    setting.nodes[2].break_with(Fault::Runs(Consensus::TowerBft));
    app.cluster.ask(app.chain.as_ref()).await;
    assert_eq!(app.cluster.consensus(), Consensus::Alpenglow);
    // Once most nodes say so, it is believed.
    setting.nodes[1].break_with(Fault::Runs(Consensus::TowerBft));
    app.cluster.ask(app.chain.as_ref()).await;
    assert_eq!(app.cluster.consensus(), Consensus::TowerBft);
}

#[tokio::test]
async fn one_node_can_not_refuse_a_transaction() {
    let setting = Setting::new(Commitment::Confirmed).await;
    setting.nodes[2].break_with(Fault::RefusesAll);
    setting.world.authorize(1000, 1).await;
}

#[tokio::test]
async fn one_node_can_not_invent_money_and_is_left_out_for_trying() {
    let setting = Setting::new(Commitment::Confirmed).await;
    setting.nodes[2].break_with(Fault::InventsMoney);
    let too_much = setting.world.body(&setting.world.requirements(4_999_999), 1);
    setting.world.settle(&too_much).await;
    let more = setting.world.body(&setting.world.requirements(4_999_999), 2);
    let more = setting.world.settle(&more).await;
    let last = setting.world.body(&setting.world.requirements(4_999_999), 3);
    assert_eq!(setting.world.settle(&last).await["errorReason"], "insufficient_funds", "{more}");
    assert_eq!(setting.wrong().await[2], "contradicted the others at getMultipleAccounts");
}

#[tokio::test]
async fn one_node_can_only_cause_a_no_until_it_is_left_out() {
    let setting = Setting::new(Commitment::Confirmed).await;
    setting.nodes[2].break_with(Fault::HidesAccounts);
    let body = setting.world.body(&setting.world.requirements(1000), 1);
    let answer = setting.world.settle(&body).await;
    assert_eq!(answer["errorReason"], "invalid_auth_capture_svm_escrow_not_found");
    assert_eq!(setting.wrong().await[2], "contradicted the others at getMultipleAccounts");
    setting.world.settled(&body).await;
}

#[tokio::test]
async fn without_more_than_half_of_the_nodes_there_is_no_verdict() {
    let setting = Setting::new(Commitment::Confirmed).await;
    for node in &setting.nodes[1..] {
        node.break_with(Fault::Down);
    }
    let body = setting.world.body(&setting.world.requirements(1000), 1);
    let answer = setting.world.settle(&body).await;
    assert_eq!(answer["errorReason"], "unexpected_settle_error", "{answer}");
    assert_eq!(setting.world.sent(), 0);
    for node in &setting.nodes[1..] {
        node.break_with(Fault::None);
    }
    setting.wrong_is("").await;
    setting.world.settled(&body).await;
}
