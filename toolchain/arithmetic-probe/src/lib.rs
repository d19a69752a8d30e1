//! One arithmetic operation for each call, for the test that compares the virtual machine with the host.
//!
//! Instruction data: the operation (1 byte) and two operands (16 bytes each, little-endian). Return data: 1 and
//! the result (16 bytes, little-endian), or 0 alone where the operation has no result (an overflow, a zero
//! divisor, a shift by 128 or more). 64-bit operations take the operands' low halves.

#![no_std]

use pinocchio::cpi::set_return_data;
use pinocchio::error::ProgramError;
use pinocchio::{AccountView, Address, ProgramResult};

pinocchio::program_entrypoint!(process, 1);
pinocchio::no_allocator!();
pinocchio::nostd_panic_handler!();

fn process(_program: &Address, _accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
    let (operation, operands) = data.split_first().ok_or(ProgramError::InvalidInstructionData)?;
    let (a, b) = operands.split_at_checked(16).ok_or(ProgramError::InvalidInstructionData)?;
    let a = u128::from_le_bytes(a.try_into().map_err(|_| ProgramError::InvalidInstructionData)?);
    let b = u128::from_le_bytes(b.try_into().map_err(|_| ProgramError::InvalidInstructionData)?);

    match compute(*operation, a, b)? {
        Some(result) => {
            let mut answer = [1; 17];
            answer[1..].copy_from_slice(&result.to_le_bytes());
            set_return_data(&answer);
        }
        None => set_return_data(&[0]),
    }
    Ok(())
}

fn compute(operation: u8, a: u128, b: u128) -> Result<Option<u128>, ProgramError> {
    let (signed_a, signed_b) = (a as i128, b as i128);
    let shift = b as u32;
    Ok(match operation {
        0 => Some(a.wrapping_mul(b)),
        1 => a.checked_mul(b),
        2 => signed_a.checked_mul(signed_b).map(|product| product as u128),
        3 => a.checked_div(b),
        4 => a.checked_rem(b),
        5 => signed_a.checked_div(signed_b).map(|quotient| quotient as u128),
        6 => signed_a.checked_rem(signed_b).map(|remainder| remainder as u128),
        7 => a.checked_shl(shift),
        8 => a.checked_shr(shift),
        9 => signed_a.checked_shr(shift).map(|shifted| shifted as u128),
        10 => (a as u64).checked_mul(b as u64).map(u128::from),
        11 => (a as i64).checked_mul(b as i64).map(|product| i128::from(product) as u128),
        12 => Some(u128::from(a as u64).wrapping_mul(u128::from(b as u64))),
        _ => return Err(ProgramError::InvalidInstructionData),
    })
}
