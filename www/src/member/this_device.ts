// Whether this device makes offline codes for a card.
import type { OfflineWallet } from "@mps/sdk";
import { useCallback, useEffect, useState } from "preact/hooks";
import { openHere } from "../enrolments.ts";

export interface ThisDevice {
  /** Of the card that was asked for; undefined when there is none, or not known yet. */
  wallet: OfflineWallet | undefined;
  /** Looks again: it was enrolled, or is no more. */
  look: () => void;
}

export function useThisDevice(cardId: string | undefined): ThisDevice {
  const [wallet, setWallet] = useState<OfflineWallet>();
  const [times, setTimes] = useState(0);
  useEffect(() => {
    let isOver = false;
    if (cardId !== undefined) {
      void openHere(cardId).then((found) => {
        if (!isOver) setWallet(found);
      });
    }
    return () => {
      isOver = true;
    };
  }, [cardId, times]);
  const look = useCallback(() => setTimes((count) => count + 1), []);
  return { wallet: wallet?.cardId === cardId ? wallet : undefined, look };
}
