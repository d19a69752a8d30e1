use curve25519_dalek::{constants::EIGHT_TORSION, edwards::EdwardsPoint};

use super::forgery::{Forgery, Spoiled};

/// Signatures of one kind, over the program's own messages.
pub(crate) struct Crafted {
    pub(crate) name: &'static str,
    /// Whether they are strict signatures.
    pub(crate) accepted: bool,
    pub(crate) forgeries: Vec<Forgery>,
}

/// All points of order 2, 4 and 8.
fn torsion() -> impl Iterator<Item = EdwardsPoint> {
    EIGHT_TORSION[1..].iter().copied()
}

/// The second encodings of points of small order, which RFC 8032 5.1.3 does not allow: y = p and y = p + 1, and x = 0
/// with the sign bit set.
fn second_encodings() -> [[u8; 32]; 6] {
    let little_endian = |low, middle, high| {
        let mut bytes = [middle; 32];
        (bytes[0], bytes[31]) = (low, high);
        bytes
    };
    [
        little_endian(0xED, 0xFF, 0x7F),
        little_endian(0xED, 0xFF, 0xFF),
        little_endian(0xEE, 0xFF, 0x7F),
        little_endian(0xEE, 0xFF, 0xFF),
        little_endian(0x01, 0x00, 0x80),
        little_endian(0xEC, 0xFF, 0xFF),
    ]
}

/// A point of order 8, of which each of small order is a multiple.
fn generator() -> EdwardsPoint {
    EIGHT_TORSION[1]
}

pub(crate) fn all() -> Vec<Crafted> {
    let ordinary = Forgery::ordinary();
    let refused = |name, forgeries: Vec<Forgery>| Crafted { name, accepted: false, forgeries };
    let accepted = |name, forgeries: Vec<Forgery>| Crafted { name, accepted: true, forgeries };
    let all_torsion = EIGHT_TORSION.into_iter();
    vec![
        accepted("ordinary", vec![ordinary]),
        refused("a bit of R flipped", (0..256).step_by(16).map(|bit| spoiled(Spoiled::Bit(bit))).collect()),
        refused("a bit of S flipped", (256..512).step_by(16).map(|bit| spoiled(Spoiled::Bit(bit))).collect()),
        refused("no signature: R and S are zero", vec![spoiled(Spoiled::Zero)]),
        refused(
            "S with the group's order added, 1 to 14 times",
            (1..15).map(|times| spoiled(Spoiled::OrdersAdded(times))).collect(),
        ),
        refused(
            "S with one of its three highest bits set",
            (509..512).map(|bit| spoiled(Spoiled::Bit(bit))).collect(),
        ),
        refused(
            "key of small order",
            all_torsion.clone().map(|key_torsion| Forgery { secret: 0, key_torsion, ..ordinary }).collect(),
        ),
        refused(
            "key of small order, not canonical",
            second_encodings().map(|encoding| ordinary.with_key(encoding)).to_vec(),
        ),
        refused(
            "R of small order, key of mixed order",
            all_torsion
                .clone()
                .map(|r_torsion| Forgery { nonce: 0, r_torsion, key_torsion: generator(), ..ordinary })
                .collect(),
        ),
        refused(
            "R of small order, not canonical, key of mixed order",
            second_encodings()
                .map(|encoding| Forgery { key_torsion: generator(), ..ordinary }.with_r(encoding))
                .to_vec(),
        ),
        refused(
            "R of small order, the equation holds only with the cofactor",
            torsion().map(|r_torsion| Forgery { nonce: 0, r_torsion, holds: false, ..ordinary }).collect(),
        ),
        refused("R is the neutral element", vec![Forgery { nonce: 0, ..ordinary }]),
        refused(
            "S = 0, key and R of small order",
            all_torsion
                .map(|r_torsion| Forgery {
                    secret: 0,
                    nonce: 0,
                    r_torsion,
                    key_torsion: generator(),
                    ..ordinary
                })
                .collect(),
        ),
        refused(
            "S = 0, key and R of small order, neither canonical",
            second_encodings().map(|encoding| ordinary.with_key(encoding).with_r(encoding)).to_vec(),
        ),
        accepted(
            "key of mixed order, the equation holds without the cofactor",
            torsion().map(|key_torsion| Forgery { key_torsion, ..ordinary }).collect(),
        ),
        refused(
            "key of mixed order, the equation holds only with the cofactor",
            torsion().map(|key_torsion| Forgery { key_torsion, holds: false, ..ordinary }).collect(),
        ),
        accepted(
            "key and R of mixed order, the equation holds without the cofactor",
            torsion()
                .map(|key_torsion| Forgery { key_torsion, r_torsion: -key_torsion, ..ordinary })
                .collect(),
        ),
        refused(
            "key and R of mixed order, the equation holds only with the cofactor",
            torsion()
                .map(|key_torsion| Forgery { key_torsion, r_torsion: -key_torsion, holds: false, ..ordinary })
                .collect(),
        ),
        refused(
            "R of mixed order, ordinary key",
            torsion().map(|r_torsion| Forgery { r_torsion, holds: false, ..ordinary }).collect(),
        ),
        refused("key that is no point of the curve", vec![off_curve(ordinary)]),
    ]
}

fn spoiled(spoiled: Spoiled) -> Forgery {
    Forgery { spoiled, ..Forgery::ordinary() }
}

/// y = 2 has no x.
fn off_curve(ordinary: Forgery) -> Forgery {
    let mut encoding = [0; 32];
    encoding[0] = 2;
    Forgery { key_encoding: Some(encoding), ..ordinary }
}
