// The shapes of the core's arguments and answers. Amounts and multipliers are decimal strings: "284.05", "0.950".

/** Where the module comes from: its address, its bytes, a response, or compiled already. */
export type WasmSource = string | URL | Request | Response | BufferSource | WebAssembly.Module;

/** What kind of card it is. A voucher pays once; prepaid and corporate cards can be shared. */
export type CardType = "standard" | "prepaid" | "corporate" | "voucher";

/** Where a multiplier comes from: the level of the points, the card's own, a corporate card's, nowhere. */
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

/**
 * How a drawn code looks. The light colour must reflect 55 % of white more than the dark one, in red light too, or scanners do not see
 * the code.
 */
export interface QrOptions {
  /** What a screen reader says; "Payment code" when left out. */
  readonly title?: string;
  /** `#rgb` or `#rrggbb`; "#000" when left out. */
  readonly dark?: string;
  /** `#rgb` or `#rrggbb`; "#fff" when left out. */
  readonly light?: string;
  /** Light modules on every side: 4 to 40, 4 when left out. */
  readonly quietZone?: number;
}

/** How a code looks as a picture of pixels; it has no title of its own. */
export interface PngOptions extends Omit<QrOptions, "title"> {
  /** Pixels a module: 1 to 32, 8 when left out. */
  readonly scale?: number;
}

/** How a code is drawn onto a canvas. */
export interface CanvasOptions extends QrOptions {
  /** Pixels a module: 1 to 32, 8 when left out. */
  readonly scale?: number;
  /** Where its quiet zone begins, in pixels: 0 when left out, and always on a canvas, which gets the size of the code. */
  readonly x?: number;
  readonly y?: number;
}

/** How a bar code looks. */
export interface BarcodeOptions extends Omit<QrOptions, "quietZone"> {
  /** Light modules on either side: 10 to 40, 10 when left out. */
  readonly quietZone?: number;
  /** In modules, of which the code has 187 in its width: 28 to 200, 50 when left out. */
  readonly height?: number;
}

/** A 2D context of a page's canvas, of a worker's or of a library for Node. */
export interface DrawingContext {
  /** The colour of what is painted next. */
  fillStyle: unknown;
  /** Paints a rectangle, in pixels. */
  fillRect(x: number, y: number, width: number, height: number): void;
}

/** A canvas of a page, of a worker or of a library for Node. */
export interface Canvas {
  /** In pixels. */
  width: number;
  /** In pixels. */
  height: number;
  /** What paints on it. */
  getContext(kind: "2d"): DrawingContext | null;
  /** Only a canvas of a page has attributes: for what a screen reader says. */
  setAttribute?(name: string, value: string): void;
}

/** The modules of a QR symbol, without its quiet zone of four modules on every side. */
export interface QrMatrix {
  /** Modules a side. */
  readonly size: number;
  /** Row by row, 1 for dark. */
  readonly modules: Uint8Array;
}
