// The shapes of the core's arguments and answers. Amounts and multipliers are decimal strings: "284.05", "0.950".

/** Where the module comes from: its address, its bytes, a response, or compiled already. */
export type WasmSource = string | URL | Request | Response | BufferSource | WebAssembly.Module;

export type CardType = "standard" | "prepaid" | "corporate" | "voucher";

export type DiscountSource = "level" | "card" | "corporate" | "none";

/** A membership level; only the last has no `pointsMax`. */
export interface Level {
  readonly level: number;
  readonly name: string;
  readonly pointsMin: number;
  readonly pointsMax?: number | null;
  readonly discount: string;
}

/** An active corporate card with a fixed multiplier on which the payer is owner, admin or member. */
export interface CorporateDiscount {
  readonly cardNo: string;
  readonly discount: string;
}

/** All that a price depends on. */
export interface QuoteRequest {
  readonly cardType: CardType;
  /** What the goods cost: above zero, at most two decimals. */
  readonly rawAmount: string;
  /** The card's own points; 0 when left out. */
  readonly points?: number;
  /** The card's own fixed multiplier. */
  readonly fixedDiscount?: string | null;
  readonly corporateDiscounts?: readonly CorporateDiscount[];
  /** In place of the house's default levels. */
  readonly levels?: readonly Level[];
}

/** What a payment costs and earns; the database has the last word. */
export interface PriceQuote {
  readonly rawAmount: string;
  readonly discount: string;
  readonly discountSource: DiscountSource;
  /** The corporate card the multiplier comes from. */
  readonly discountCardNo?: string;
  readonly finalAmount: string;
  readonly pointsEarned: number;
}

/** A payment, what earlier refunds of it did, and one more refund. */
export interface RefundPreviewRequest {
  readonly cardType: CardType;
  /** What was paid. */
  readonly finalAmount: string;
  /** The points the payment earned. */
  readonly pointsEarned: number;
  /** What this refund gives back: above zero, at most two decimals. */
  readonly amount: string;
  /** The points on the card now; a refund takes no more. */
  readonly pointsLeft: number;
  /** The sum of earlier refunds; "0.00" when left out. */
  readonly refundedBefore?: string;
  /** The points that earlier refunds took; 0 when left out. */
  readonly pointsTakenBefore?: number;
}

/** What one more refund would do, under the policy `clawback`; under `keep` no points are taken. */
export interface RefundPreview {
  /** What is left to refund after it. */
  readonly remaining: string;
  readonly pointsTaken: number;
  /** A voucher is spent at once, so its refund comes as a new one. */
  readonly refundedTo: "card" | "newVoucher";
}

/** What a payment code's text says about itself. */
export interface CodeInspection {
  readonly kind: "online" | "offline" | "offlineTerminal";
  /** The phone that made an offline code. */
  readonly handle?: string;
}

/** Where so many points stand. */
export interface Standing {
  readonly level: number;
  readonly name: string;
  readonly discount: string;
  /** Where the next level begins; null at the top. */
  readonly nextLevelPoints: number | null;
  /** The points still missing for it; null at the top. */
  readonly pointsToNext: number | null;
}

/** How a drawn code looks. */
export interface QrOptions {
  /** What a screen reader says. */
  readonly title?: string;
  /** A colour's name or `#` and hexadecimal digits. */
  readonly dark?: string;
  /** A colour's name or `#` and hexadecimal digits. */
  readonly light?: string;
}

/** The modules of a QR symbol, without its quiet zone of four modules on every side. */
export interface QrMatrix {
  /** Modules a side. */
  readonly size: number;
  /** Row by row, 1 for dark. */
  readonly modules: Uint8Array;
}
