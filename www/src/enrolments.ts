// The cards that this device makes offline codes for: enrolled, opened, ended.
import { OfflineWallet } from "@mps/sdk";
import type { MpsClient } from "@mps/sdk/client";
import { deviceStorage } from "./device_storage.ts";
import { keptUserId } from "./session.ts";

const keptAt = "mps.enrolled";
const farewellMs = 3_000;

/** A card that this device makes codes for; its number to tell it from others. */
export interface EnrolledCard {
  cardId: string;
  cardNo: string;
  /** Who enrolled it. Empty where an earlier version did: it is nobody's. */
  userId: string;
}

function allCards(): EnrolledCard[] {
  const entries = (localStorage.getItem(keptAt) ?? "").split(" ").filter((entry) => entry !== "");
  return entries.map((entry) => {
    const [cardId = "", cardNo = "", userId = ""] = entry.split(":");
    return { cardId, cardNo, userId };
  });
}

/** Those of the member whose session is kept. */
export function enrolledCards(): EnrolledCard[] {
  const userId = keptUserId();
  return allCards().filter((card) => card.userId === userId);
}

function noteAll(cards: readonly EnrolledCard[]): void {
  localStorage.setItem(keptAt, cards.map(({ cardId, cardNo, userId }) => `${cardId}:${cardNo}:${userId}`).join(" "));
}

const withoutCard = (cardId: string): EnrolledCard[] => allCards().filter((other) => other.cardId !== cardId);

const open = (cardId: string): Promise<OfflineWallet | undefined> => OfflineWallet.open(deviceStorage, cardId).catch(() => undefined);

/** This device's wallet of a card; undefined when the member has not enrolled it, or where nothing can be kept. */
export async function openHere(cardId: string): Promise<OfflineWallet | undefined> {
  return enrolledCards().some((card) => card.cardId === cardId) ? open(cardId) : undefined;
}

/** Makes this device one of the card's. A key that cannot be kept is given back. */
export async function enrolHere(client: MpsClient, card: { cardId: string; cardNo: string }, label: string): Promise<OfflineWallet> {
  const enrolled = await client.call("enrollDevice", { card_id: card.cardId, label });
  try {
    const wallet = await OfflineWallet.keep(deviceStorage, { card_id: card.cardId, ...enrolled });
    noteAll([...withoutCard(card.cardId), { ...card, userId: keptUserId() ?? "" }]);
    return wallet;
  } catch (error) {
    await client.call("revokeDevice", { handle: enrolled.handle });
    throw error;
  }
}

/** Deletes this device's key of a card. */
export async function forgetHere(wallet: OfflineWallet): Promise<void> {
  await wallet.forget();
  noteAll(withoutCard(wallet.cardId));
}

/** Deletes the keys of whoever else was here, his session ended without signing out. Only he may tell the server. */
export async function forgetOthers(): Promise<void> {
  const userId = keptUserId();
  // Nobody is signed in: whose session ended finds his own when he is back.
  if (userId === undefined) return;
  for (const { cardId } of allCards().filter((card) => card.userId !== userId)) {
    const wallet = await open(cardId);
    await wallet?.forget();
    noteAll(withoutCard(cardId));
  }
}

/** Who signs out leaves no key behind; the server hears of it where it can be reached. */
export async function endAllHere(client: MpsClient): Promise<void> {
  for (const { cardId } of allCards()) {
    const wallet = await open(cardId);
    if (wallet === undefined) continue;
    await client.call("revokeDevice", { handle: wallet.handle }, { timeoutMs: farewellMs }).catch(() => undefined);
    await forgetHere(wallet);
  }
}
