// The bodies of the edge's routes, as they are on the wire: amounts are decimal strings, times RFC 3339 in UTC.

import type { CardType, DiscountSource } from "./types.js";

/** Whether a member may pay; what is left of a deleted one is a number and the books. */
export type MemberStatus = "active" | "suspended" | "deleted";

/** What a member may do with a card: everything, almost everything, pay, only see. */
export type BindingRole = "owner" | "admin" | "member" | "viewer";

/** Only an active card pays. */
export type CardStatus = "active" | "frozen" | "lost" | "expired" | "closed";

/** What a user may do for a merchant. */
export type MerchantRole = "owner" | "manager" | "cashier";

/** A merchant the caller works for. */
export interface MyMerchant {
  readonly merchant_id: string;
  readonly code: string;
  readonly name: string;
  readonly status: string;
  readonly role: MerchantRole;
  readonly terminals: readonly { readonly code: string; readonly label: string | null }[];
}

/** Who the caller is; the member's fields are null when the caller is no member. */
export interface Profile {
  readonly user_id: string;
  readonly is_admin: boolean;
  readonly member_id: string | null;
  readonly member_no: string | null;
  readonly name: string | null;
  readonly phone: string | null;
  readonly email: string | null;
  readonly status: MemberStatus | null;
  readonly merchants: readonly MyMerchant[];
}

/** Who wants to be a member. */
export interface RegisterRequest {
  readonly name: string;
  readonly phone: string;
}

/** A member and the standard card that came with him. */
export interface Registration {
  readonly member_id: string;
  readonly member_no: string;
  readonly name: string;
  readonly phone: string | null;
  readonly email: string | null;
  readonly status: MemberStatus;
  readonly card_id: string;
  readonly card_no: string;
  /** False when the caller was registered already. */
  readonly created: boolean;
}

/** A card the caller is bound to. */
export interface MemberCard {
  readonly card_id: string;
  readonly card_no: string;
  readonly card_type: CardType;
  readonly name: string | null;
  readonly role: BindingRole;
  readonly status: CardStatus;
  readonly balance: string;
  readonly points: number;
  readonly level: number | null;
  readonly level_name: string | null;
  readonly discount: string;
  readonly discount_source: DiscountSource;
  readonly next_level_points: number | null;
  readonly expires_at: string | null;
  /** Whether the caller may pay with it. */
  readonly pays: boolean;
}

/** The card that a code is wanted for, and for how long. */
export interface RotateCodeRequest {
  readonly card_id: string;
  /** 60 to 86400; 900 when left out. */
  readonly ttl_seconds?: number;
  /** Most raw amount that the code pays, a decimal string; no bound of its own when left out. */
  readonly amount_max?: string;
}

/** A fresh payment code: shown once, stored nowhere. */
export interface IssuedCode {
  readonly qr_plain: string;
  readonly qr_expires_at: string;
}

/** A code that was scanned, and where. */
export interface ValidateCodeRequest {
  readonly qr_plain: string;
  readonly terminal_code?: string;
}

/** A payment that is only asked about. */
export interface QuotePaymentRequest {
  readonly merchant_code: string;
  readonly qr_plain: string;
  readonly raw_amount: string;
  readonly terminal_code?: string;
}

/** What a payment would cost and earn now. */
export interface PaymentQuote {
  readonly card_id: string;
  readonly card_type: CardType;
  readonly raw_amount: string;
  readonly discount: string;
  readonly discount_source: DiscountSource;
  readonly final_amount: string;
  readonly points_earned: number;
}

/** A payment: whose till, which code, how much. */
export interface ChargeRequest extends QuotePaymentRequest {
  /** The merchant's own notes; any JSON object. */
  readonly tag?: Readonly<Record<string, unknown>>;
  /** The merchant's order: it is paid once. */
  readonly external_order_id?: string;
}

/** A payment that was made. */
export interface Charge {
  readonly tx_id: string;
  readonly tx_no: string;
  readonly card_id: string;
  readonly final_amount: string;
  readonly discount: string;
  readonly points_earned: number;
  readonly discount_source: DiscountSource;
  readonly raw_amount: string;
  readonly created_at: string;
  /** True when an earlier request with the same key had charged already. */
  readonly replayed: boolean;
}

/** A transaction as its merchant or its member sees it. */
export interface Payment {
  readonly tx_id: string;
  readonly tx_no: string;
  readonly tx_type: string;
  readonly merchant_code: string | null;
  readonly merchant_name: string | null;
  readonly card_id: string;
  readonly card_no: string;
  readonly raw_amount: string;
  readonly discount: string;
  readonly discount_source: DiscountSource;
  readonly final_amount: string;
  readonly points_earned: number;
  readonly refunded_amount: string;
  readonly remaining_amount: string;
  readonly tag: Readonly<Record<string, unknown>> | null;
  readonly external_order_id: string | null;
  readonly terminal_code: string | null;
  readonly created_at: string;
}
