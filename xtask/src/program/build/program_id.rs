//! The address that the program is built for.

use std::env;

use anyhow::{Result, bail, ensure};

use crate::toolchain::PROGRAM_ID;

/// The address on local clusters, which the program's build script has too.
pub(crate) const DEFAULT: &str = "EscCGhKaoAfdc5duTCF8ofGLLP11LfXnV5AZdontFE3T";

const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// The address that was asked for, else that in the environment, else the default.
///
/// # Errors
///
/// If it is no address.
pub(crate) fn chosen(asked: Option<&str>) -> Result<String> {
    let from_environment = env::var(PROGRAM_ID).ok();
    let id = asked.or(from_environment.as_deref()).unwrap_or(DEFAULT);
    check(id)?;
    Ok(id.to_owned())
}

/// Checks that this is Base58 for 32 bytes.
fn check(id: &str) -> Result<()> {
    let mut bytes = Vec::new();
    for character in id.chars() {
        let Some(digit) = ALPHABET.iter().position(|known| char::from(*known) == character) else {
            bail!("the program id {id:?} is not Base58: {character:?} is none of its digits");
        };
        let mut carry = digit;
        for byte in &mut bytes {
            carry += usize::from(*byte) * 58;
            *byte = carry.to_le_bytes()[0];
            carry >>= 8;
        }
        if carry > 0 {
            bytes.push(carry.to_le_bytes()[0]);
        }
        ensure!(bytes.len() <= 32, "the program id {id:?} is longer than an address, which has 32 bytes");
    }
    let length = bytes.len() + id.bytes().take_while(|digit| *digit == ALPHABET[0]).count();
    ensure!(length == 32, "the program id {id:?} has {length} bytes, and an address has 32");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken() {
        check(DEFAULT).unwrap();
        check("11111111111111111111111111111111").unwrap();
        check("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA").unwrap();
        check("JEKNVnkbo3jma5nREBBJCDoXFVeKkD56V3xKrvRmWxFG").unwrap();
    }

    #[test]
    fn default_is_that_of_the_build_script() {
        let script = include_str!("../../../../programs/escrow/build.rs");
        assert!(script.contains(&format!("(\"{PROGRAM_ID}\", \"{DEFAULT}\")")));
    }

    #[test]
    fn anything_else_is_refused_with_the_reason() {
        let refused = |id: &str| check(id).unwrap_err().to_string();
        assert!(
            refused("0scCGhKaoAfdc5duTCF8ofGLLP11LfXnV5AZdontFE3T").contains("'0' is none of its digits")
        );
        assert!(refused("").contains("has 0 bytes"));
        assert!(refused("EscCGhKaoAfdc5duTCF8ofGLLP11LfXnV5AZdontFE").contains("has 31 bytes"));
        assert!(refused("JEKNVnkbo3jma5nREBBJCDoXFVeKkD56V3xKrvRmWxFH").contains("longer than an address"));
        assert!(refused("111111111111111111111111111111111").contains("has 33 bytes"));
        assert!(refused(&"z".repeat(10_000)).contains("longer than an address"));
    }
}
