/** Why a payment is refused, in answers. docs/scheme-auth-capture-svm.md has the scheme's own. */

export const CONFLICT = "payment_identifier_conflict";
export const DUPLICATE = "duplicate_settlement";
export const INVALID_EXTRA = "invalid_auth_capture_svm_extra";
export const INVALID_PAYLOAD = "invalid_payload";
export const INVALID_REQUIREMENTS = "invalid_payment_requirements";
export const NONCE_REFUSED = "invalid_auth_capture_svm_nonce";
export const PAYMENT_NOT_FOUND = "invalid_auth_capture_svm_payment_not_found";
export const PENDING = "settlement_pending";
export const SETTLE_ERROR = "unexpected_settle_error";
export const SIGNATURE_INVALID = "invalid_auth_capture_svm_signature";
export const VERIFY_ERROR = "unexpected_verify_error";
export const VOUCHER_ABOVE_HOLD = "invalid_auth_capture_svm_voucher_above_hold";
export const VOUCHER_DECREASED = "invalid_auth_capture_svm_voucher_decreased";
export const VOUCHER_HOLD_CLOSED = "invalid_auth_capture_svm_voucher_hold_closed";
export const VOUCHER_HOLD_NOT_FINAL = "invalid_auth_capture_svm_voucher_hold_not_final";
export const VOUCHER_REPEATED = "invalid_auth_capture_svm_voucher_repeated";
export const VOUCHER_TOO_LATE = "invalid_auth_capture_svm_voucher_too_late";
export const VOUCHER_WRONG_HOLD = "invalid_auth_capture_svm_voucher_wrong_hold";
