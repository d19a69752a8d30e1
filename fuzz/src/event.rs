//! Events, as they stand in a transaction's logs.

use x402_escrow_interface::event::Event;

pub fn run(data: &[u8]) -> bool {
    let Some(event) = Event::decode(data) else { return false };
    let name = format!("{event:?}");
    let declared = Event::DISCRIMINATORS.iter().find(|(_, discriminator)| data.starts_with(discriminator));
    let (declared, _) = declared.expect("it was read by its discriminator");
    assert_eq!(name.split_once('(').map(|(name, _)| name), Some(*declared));
    // Every byte counts: one more or one less is no event.
    assert_eq!(Event::decode(&data[..data.len() - 1]), None);
    assert_eq!(Event::decode(&[data, &[0]].concat()), None);
    let mut altered = data.to_vec();
    if let Some(last) = altered.last_mut() {
        *last ^= 1;
    }
    assert_ne!(Event::decode(&altered), Some(event));
    true
}
