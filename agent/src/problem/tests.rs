use super::*;

#[test]
fn the_owners_page_has_every_code_beside_its_exit_code() {
    use Code::*;
    let page = include_str!("../../../docs/owner.md");
    for code in [
        Failed,
        InvalidArgument,
        File,
        Signer,
        SessionFile,
        SessionFileExists,
        NodeUnreachable,
        NodeLies,
        WrongCluster,
        ProgramMissing,
        WrongMint,
        EscrowNotFound,
        EscrowExists,
        EscrowHasSessions,
        SessionNotFound,
        IncarnationMismatch,
        SessionHasHolds,
        InsufficientSol,
        InsufficientFunds,
        SessionExpired,
        TransactionRefused,
        NotConfirmed,
        VerifierUnreachable,
        VerifierRefused,
        NoSuchPurchase,
    ] {
        let row = page.lines().find(|line| line.starts_with(&format!("| {} |", code.exit() as u8))).unwrap();
        assert!(row.contains(&format!("`{}`", code.name())), "{code:?} {row}");
    }
}

#[test]
fn names_of_the_programs_errors_become_codes() {
    assert_eq!(snake_case("SessionHasHolds"), "session_has_holds");
    assert_eq!(snake_case("WrongPayer"), "wrong_payer");
}

#[test]
fn an_object_has_the_code_the_field_the_remedy_and_whether_to_retry() {
    let problem = Problem::argument("--amount", "is no amount").remedy("write it as 1.50");
    assert_eq!(problem.to_string(), "--amount: is no amount");
    let object = problem.details(json!({ "until": 7 })).object("--amount: is no amount");
    let expected = json!({ "code": "invalid_argument", "message": "--amount: is no amount",
        "field": "--amount", "remedy": "write it as 1.50", "retry": false, "until": 7 });
    assert_eq!(object, expected);
}
