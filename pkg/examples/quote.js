// What a payment costs and earns, and how far the next level is: computed here, without a network.
import { init, levelFor, quote } from "@mps/sdk";

await init();
const { finalAmount, discount, pointsEarned } = quote({ cardType: "standard", rawAmount: "299.00", points: 1200 });
const { level, pointsToNext } = levelFor(1200);
console.log(`to pay ${finalAmount} (× ${discount}), ${pointsEarned} points; level ${level}, ${pointsToNext} points to the next`);
