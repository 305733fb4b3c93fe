// The same questions in every project; every runtime must answer them alike.

export const wanted = {
  finalAmount: "284.05",
  pointsToNext: 3800,
  kind: "online",
  modules: 441,
  svg: true,
  refusal: ["Refused", "INVALID_QR", 400],
};

export function probe(mps) {
  return {
    finalAmount: mps.quote({ cardType: "standard", rawAmount: "299.00", points: 1200 }).finalAmount,
    pointsToNext: mps.levelFor(1200).pointsToNext,
    kind: mps.parsePaymentCode("701234567890123456789017").kind,
    modules: mps.qrMatrix("701234567890123456789017").modules.length,
    svg: mps.qrSvg("701234567890123456789017").includes("<svg"),
    refusal: refusalOf(() => mps.parsePaymentCode("1")),
  };
}

function refusalOf(call) {
  try {
    call();
  } catch (error) {
    return [error.name, error.code, error.status];
  }
  return [];
}
