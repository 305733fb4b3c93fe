// The cards that this device makes offline codes for: enrolled, opened, ended.
import { OfflineWallet } from "@mps/sdk";
import type { MpsClient } from "@mps/sdk/client";
import { deviceStorage } from "./device_storage.ts";

const keptAt = "mps.enrolled";
const farewellMs = 3_000;

/** A card that this device makes codes for; its number to tell it from others, where that was kept. */
export interface EnrolledCard {
  cardId: string;
  cardNo: string | undefined;
}

export function enrolledCards(): EnrolledCard[] {
  const entries = (localStorage.getItem(keptAt) ?? "").split(" ").filter((entry) => entry !== "");
  return entries.map((entry) => {
    const [cardId = "", cardNo] = entry.split(":");
    return { cardId, cardNo };
  });
}

function noteAll(cards: readonly EnrolledCard[]): void {
  localStorage.setItem(keptAt, cards.map(({ cardId, cardNo }) => (cardNo === undefined ? cardId : `${cardId}:${cardNo}`)).join(" "));
}

const withoutCard = (cardId: string): EnrolledCard[] => enrolledCards().filter((other) => other.cardId !== cardId);

/** This device's wallet of a card; undefined when it is not enrolled, or where nothing can be kept. */
export function openHere(cardId: string): Promise<OfflineWallet | undefined> {
  return OfflineWallet.open(deviceStorage, cardId).catch(() => undefined);
}

/** Makes this device one of the card's. A key that cannot be kept is given back. */
export async function enrolHere(client: MpsClient, card: { cardId: string; cardNo: string }, label: string): Promise<OfflineWallet> {
  const enrolled = await client.call("enrollDevice", { card_id: card.cardId, label });
  try {
    const wallet = await OfflineWallet.keep(deviceStorage, { card_id: card.cardId, ...enrolled });
    noteAll([...withoutCard(card.cardId), card]);
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

/** Who signs out leaves no key behind; the server hears of it where it can be reached. */
export async function endAllHere(client: MpsClient): Promise<void> {
  for (const { cardId } of enrolledCards()) {
    const wallet = await openHere(cardId);
    if (wallet === undefined) continue;
    await client.call("revokeDevice", { handle: wallet.handle }, { timeoutMs: farewellMs }).catch(() => undefined);
    await forgetHere(wallet);
  }
}
