// The cards that this device makes offline codes for: enrolled, opened, ended.
import { OfflineWallet } from "@mps/sdk";
import type { MpsClient } from "@mps/sdk/client";
import { deviceStorage } from "./device_storage.ts";

const keptAt = "mps.enrolled";
const farewellMs = 3_000;

function enrolledCards(): string[] {
  return (localStorage.getItem(keptAt) ?? "").split(" ").filter((cardId) => cardId !== "");
}

function note(cardId: string, isEnrolled: boolean): void {
  const others = enrolledCards().filter((other) => other !== cardId);
  localStorage.setItem(keptAt, [...others, ...(isEnrolled ? [cardId] : [])].join(" "));
}

/** This device's wallet of a card; undefined when it is not enrolled, or where nothing can be kept. */
export function openHere(cardId: string): Promise<OfflineWallet | undefined> {
  return OfflineWallet.open(deviceStorage, cardId).catch(() => undefined);
}

/** Makes this device one of the card's. A key that cannot be kept is given back. */
export async function enrolHere(client: MpsClient, cardId: string, label: string): Promise<OfflineWallet> {
  const enrolled = await client.call("enrollDevice", { card_id: cardId, label });
  try {
    const wallet = await OfflineWallet.keep(deviceStorage, { card_id: cardId, ...enrolled });
    note(cardId, true);
    return wallet;
  } catch (error) {
    await client.call("revokeDevice", { handle: enrolled.handle });
    throw error;
  }
}

/** Deletes this device's key of a card. */
export async function forgetHere(wallet: OfflineWallet): Promise<void> {
  await wallet.forget();
  note(wallet.cardId, false);
}

/** Who signs out leaves no key behind; the server hears of it where it can be reached. */
export async function endAllHere(client: MpsClient): Promise<void> {
  for (const cardId of enrolledCards()) {
    const wallet = await openHere(cardId);
    if (wallet === undefined) continue;
    await client.call("revokeDevice", { handle: wallet.handle }, { timeoutMs: farewellMs }).catch(() => undefined);
    await forgetHere(wallet);
  }
}
