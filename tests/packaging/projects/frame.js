// A camera's frame with a code in it, the same in every project; the scanner of every runtime must read it.

export function frameOf({ size, modules }) {
  const [scale, quiet] = [4, 4];
  const side = (size + 2 * quiet) * scale;
  const data = new Uint8ClampedArray(side * side * 4).fill(255);
  for (let at = 0; at < side * side; at += 1) {
    const [x, y] = [at % side, Math.floor(at / side)].map((pixel) => Math.floor(pixel / scale) - quiet);
    const isDark = x >= 0 && y >= 0 && x < size && y < size && modules[y * size + x] === 1;
    if (isDark) data.fill(0, at * 4, at * 4 + 3);
  }
  return { data, width: side, height: side };
}

export const scanned = { text: "701234567890123456789017", format: "qr_code" };
