//! The status page as a person sees it: in Chromium, wide and narrow, light and dark.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use solana_sdk::transaction::TransactionError;
use x402_escrow_verifier::router::operator_router;
use x402_escrow_wire::{auth_capture::Commitment, text::Hex32};

use super::authorize_for;
use crate::{
    browser::Browser,
    exact::wallet,
    world::{Options, World, listen},
};

/// The narrowest phone, in CSS pixels.
const PHONE: u32 = 360;
const DESK: u32 = 1280;

/// The least contrast between a text and what is behind it that WCAG 2.2 (1.4.3) allows.
const LEAST_CONTRAST: f64 = 4.5;

/// The worst contrast of any text on the page, and that text.
const WORST_CONTRAST: &str = r"(() => {
    const channels = (color) => color.match(/[\d.]+/g).map(Number);
    const luminance = ([r, g, b]) => {
        const [x, y, z] = [r, g, b].map((c) => c / 255)
            .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
        return 0.2126 * x + 0.7152 * y + 0.0722 * z;
    };
    const behind = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const color = channels(getComputedStyle(at).backgroundColor);
            if (color.length === 3 || color[3] === 1) return color;
        }
        return [255, 255, 255];
    };
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    let worst = [21, ''];
    while (texts.nextNode()) {
        const text = texts.currentNode.textContent.trim();
        if (!text) continue;
        const element = texts.currentNode.parentElement;
        const [a, b] = [channels(getComputedStyle(element).color), behind(element)].map(luminance);
        const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (contrast < worst[0]) worst = [contrast, text];
    }
    return worst;
})()";

/// Payments in every state: captured and final, held, near the deadline, refused, paid at once, and stuck.
async fn busy_world() -> (World, Hex32) {
    let world =
        World::with(Options { settle_timeout: Duration::from_millis(500), ..Options::default() }).await;
    world.cluster.state().level = Commitment::Finalized;
    authorize_for(&world, 750_000, 300).await;
    world.backdate_payments(400).await;
    let captured = world.authorize(1_250_000, 2).await;
    world.settled(&world.capture(captured, 1_000_000, true)).await;
    world.authorize(40_000, 3).await;
    world.settled(&wallet::payment(&world, 5_000, "memo")).await;
    world.cluster.state().next_error = Some(TransactionError::AccountInUse);
    let failing = world.body(&world.requirements(70_000), 4);
    world.settle(&failing).await;
    let has_failed = |payment: &Value| payment["operations"][0]["status"] == "failed";
    world.until(world.payment_id(&failing), has_failed).await;
    world.cluster.state().loses_transactions = true;
    world.settle(&world.body(&world.requirements(60_000), 5)).await;
    world.backdate_operations(130).await;
    (world, captured)
}

/// Nothing is cut off or unreadable, at every width and in both colour schemes.
async fn assert_readable(browser: &mut Browser, name: &str) {
    for (width, scheme) in [(DESK, "light"), (DESK, "dark"), (PHONE, "light"), (PHONE, "dark")] {
        browser.look(width, scheme).await;
        let wide = browser.evaluate("document.documentElement.scrollWidth").await.as_u64().unwrap();
        assert!(wide <= u64::from(width), "{name}: {wide} pixels wide in a window of {width}");
        let worst = browser.evaluate(WORST_CONTRAST).await;
        assert!(worst[0].as_f64().unwrap() >= LEAST_CONTRAST, "{name}, {scheme}: {worst}");
        browser.picture(&format!("{name}-{width}-{scheme}")).await;
    }
    browser.look(DESK, "light").await;
}

#[tokio::test]
async fn the_page_says_what_came_in_how_final_it_is_and_what_is_stuck() {
    let (world, captured) = busy_world().await;
    let (url, server) = listen(operator_router(Arc::clone(&world.app))).await;
    let mut browser = Browser::start().await;
    browser.look(DESK, "light").await;
    browser.open(&format!("{url}/status")).await;

    let text = browser.evaluate("document.body.innerText").await.as_str().unwrap().to_owned();
    for part in [
        "What is stuck",
        "Hold near its deadline, and not captured",
        "Hold not in a block",
        "no block has it yet",
        "1.25",
        "1250000 base units",
        "Hold failed on chain",
        "capture finalized",
        "payment finalized",
        "6 payments",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    let stuck = text.find("What is stuck").unwrap();
    assert!(stuck < text.find("What came in").unwrap() && stuck < text.find("Newest payments").unwrap());
    let headings = "[...document.querySelectorAll('#payments th')].map((heading) => heading.innerText)";
    assert_eq!(
        browser.evaluate(headings).await,
        json!([
            "Payment",
            "When",
            "For",
            "Payer",
            "Amount",
            "Captured",
            "Outcome",
            "How final",
            "Transaction"
        ])
    );
    let columns = "[...document.querySelectorAll('#payments tbody tr')].map((row) => row.cells.length)";
    assert_eq!(browser.evaluate(columns).await, json!([9, 9, 9, 9, 9, 9]));
    assert_readable(&mut browser, "status").await;

    // On a phone each value has its heading beside it.
    browser.look(PHONE, "light").await;
    let label = "getComputedStyle(document.querySelector('#payments td'), '::before').content";
    assert_eq!(browser.evaluate(label).await, json!("\"Payment\""));
    browser.look(DESK, "light").await;

    // The form and the links work without scripts.
    let fill = format!("document.querySelector('input[name=receiver]').value = '{}'", world.fee_payer());
    browser.evaluate(&fill).await;
    browser.evaluate("document.querySelector('form button').click()").await;
    browser.until("document.body?.innerText.includes('No payments yet.')").await;

    browser.open(&format!("{url}/status/payments/{captured}")).await;
    let text = browser.evaluate("document.body.innerText").await.as_str().unwrap().to_owned();
    for part in [captured.to_string().as_str(), "ended", "finalized", "Released", "0.25", "Resource hash"] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    assert_readable(&mut browser, "payment").await;

    assert!(browser.complaints.is_empty(), "{:#?}", browser.complaints);
    server.abort();
}

#[tokio::test]
async fn an_empty_page_and_a_refusal_are_readable_too() {
    let world = World::new().await;
    let (url, server) = listen(operator_router(Arc::clone(&world.app))).await;
    let mut browser = Browser::start().await;
    for (name, path, part) in
        [("empty", "/status", "No payments yet."), ("refusal", "/status?receiver=%3Cb%3Enobody", "<b>nobody")]
    {
        browser.open(&format!("{url}{path}")).await;
        let text = browser.evaluate("document.body.innerText").await.as_str().unwrap().to_owned();
        assert!(text.contains(part), "{part:?} is not in\n{text}");
        assert_readable(&mut browser, name).await;
    }
    // That the page was refused is all that the browser's log says.
    let is_refusal = |complaint: &&String| complaint.contains("the server responded with a status of 400");
    assert_eq!(browser.complaints.iter().filter(is_refusal).count(), browser.complaints.len());
    server.abort();
}
