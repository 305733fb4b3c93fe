// What this device keeps for the days without a network: the keys of its enrolments, and how wrong its clock is.
import { indexedDbStorage } from "@mps/sdk/client";

/** Shared by all tabs. */
export const deviceStorage = indexedDbStorage();
