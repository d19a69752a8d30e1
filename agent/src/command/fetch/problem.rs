//! Explains the client's errors: amounts in tokens, and which flag to change.

use x402_escrow_agent::{FetchError, spending::SpendingError};
use x402_escrow_wire::amount;

use crate::{
    command::terminal::time,
    problem::{Code, Problem},
};

/// The draft's field for what is paid.
const AMOUNT: &str = "accepted.amount";

/// The error of a fetch that was to be paid out of a hold for many requests.
pub(super) fn streamed_problem(error: FetchError, decimals: u8) -> anyhow::Error {
    match &error {
        FetchError::Draft(draft) if draft.field == AMOUNT => {
            let remedy = "--stream must be at least what the server wants to hold";
            let known = Problem::new(Code::LimitReached, draft.to_string()).named(error.code());
            known.of("--stream").remedy(remedy).into()
        }
        _ => problem(error, decimals),
    }
}

/// The error of a fetch with a session of a token with so many decimals.
pub(super) fn problem(error: FetchError, decimals: u8) -> anyhow::Error {
    let tokens = |units| amount::format(units, decimals);
    let name = error.code();
    let limit = |flag, message: String, remedy: &str| {
        Problem::new(Code::LimitReached, message).named(name).of(flag).remedy(remedy)
    };
    let known = match &error {
        FetchError::Spending(SpendingError::LimitReached { limit: of, left, amount }) => limit(
            "--spending-limit",
            format!(
                "the spending limit of {} leaves {}, and this costs {}; nothing was signed",
                tokens(*of),
                tokens(*left),
                tokens(*amount)
            ),
            "raise --spending-limit, or wait until holds end for less than was signed",
        ),
        FetchError::LockedLimit { limit: of, locked, amount } => limit(
            "--max-locked",
            format!(
                "{} are locked or may still be, and this would lock {} more, above the limit of {}; nothing was signed",
                tokens(*locked),
                tokens(*amount),
                tokens(*of)
            ),
            "wait until holds end, or raise --max-locked",
        )
        .retry(true),
        FetchError::NotStreamed { url, maximum_amount } => limit(
            "--max-amount",
            format!(
                "the server offers no hold for many requests at a price within {} for {url}; nothing was signed",
                tokens(*maximum_amount)
            ),
            "leave --stream out to pay for each request by itself, or raise --max-amount",
        ),
        FetchError::Draft(draft) if draft.field == AMOUNT => limit(
            "--max-amount",
            draft.to_string(),
            "raise --max-amount, if it is worth that to you",
        ),
        FetchError::SessionExpired { expires_at } => {
            let message = format!("the session expired at {}; nothing was signed", time(*expires_at));
            Problem::new(Code::SessionExpired, message)
                .of("--session")
                .remedy("its owner can extend it: agent session update --expires 30d")
        }
        FetchError::NotListed { pay_to, .. } => Problem::new(Code::Failed, error.to_string())
            .named(name)
            .of("--session")
            .remedy(format!("its owner can name it: agent session update --receiver {pay_to}")),
        FetchError::PlainHttp { .. } => Problem::new(Code::InvalidArgument, error.to_string())
            .named(name)
            .of("URL")
            .remedy("use https, or --allow-http on a safe network"),
        FetchError::InvalidRequest { .. } => {
            Problem::new(Code::InvalidArgument, error.to_string()).named(name)
        }
        FetchError::Unreachable { .. } => Problem::new(Code::VerifierUnreachable, error.to_string())
            .named(name)
            .of("URL")
            .remedy("try again: nothing was signed"),
        _ => return error.into(),
    };
    anyhow::Error::new(known)
}

#[cfg(test)]
mod tests {
    use x402_escrow_agent::draft::DraftError;

    use super::*;
    use crate::problem::Exit;

    #[test]
    fn limits_are_said_in_tokens_with_the_flag_that_raises_them() {
        let reached = SpendingError::LimitReached { limit: 1_500_000, left: 250_000, amount: 300_000 };
        let error = problem(FetchError::Spending(reached), 6);
        let known = error.downcast_ref::<Problem>().unwrap();
        assert_eq!(known.exit(), Exit::NotEnough);
        let object = known.object(&error.to_string());
        assert_eq!(
            (&object["code"], &object["field"]),
            (&"spending_limit".into(), &"--spending-limit".into())
        );
        let message = object["message"].as_str().unwrap();
        assert!(message.contains("the spending limit of 1.5 leaves 0.25, and this costs 0.3"), "{message}");
    }

    #[test]
    fn a_hold_that_is_too_large_names_the_flag_of_holds() {
        let draft =
            DraftError { field: AMOUNT.to_owned(), message: "0.25 is above the maximum of 0.2".into() };
        let error = streamed_problem(draft.into(), 6);
        let known = error.downcast_ref::<Problem>().unwrap();
        let object = known.object(&error.to_string());
        assert_eq!((known.exit(), &object["field"]), (Exit::NotEnough, &"--stream".into()));
        assert!(error.to_string().contains("0.25 is above the maximum of 0.2"), "{error}");
    }

    #[test]
    fn a_session_that_expired_says_when_and_what_its_owner_can_do() {
        let error = problem(FetchError::SessionExpired { expires_at: 1_900_000_000 }, 6);
        let known = error.downcast_ref::<Problem>().unwrap();
        assert!(known.to_string().contains("2030-03-17T17:46:40Z"), "{known}");
        assert_eq!((known.exit(), known.what_to_do().unwrap().contains("--expires")), (Exit::Missing, true));
    }
}
