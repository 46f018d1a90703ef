// Numbers as the templates write them (markets/domain/amounts.py). Amounts are whole millionths here.

export const MICRO = 1_000_000;
export const micro = text => Math.round(Number(text) * MICRO);

export function percent(price) {
  if ((price > 0 && price < 1000) || (price > 999_000 && price < MICRO)) return price < 1000 ? "<0.1%" : ">99.9%";
  if ((price > 0 && price < 10_000) || (price > 990_000 && price < MICRO)) return `${Math.floor((price + 500) / 1000) / 10}%`;
  return `${Math.floor((price + 5000) / 10_000)}%`;
}

export const tenths = price => `${(price / 10_000).toFixed(1)}%`;

export function credits(amount) {
  const size = Math.abs(amount), sign = amount < 0 ? "-" : "";
  if (size >= 100 * MICRO) return sign + Math.floor(size / MICRO).toLocaleString("en");
  return sign + Math.floor(size / 10_000) / 100;
}

export function points(change, unit) {
  const size = Math.floor((Math.abs(change) + 500) / 1000) / 10;
  return size ? `${change > 0 ? "▲" : "▼"} ${size} ${unit}` : "";
}

export const gain = amount => credits(Math.abs(amount)) === "0" ? "0 cr" : `${amount < 0 ? "▼" : "▲"} ${credits(Math.abs(amount))} cr`;
export const named = label => /^\p{L}/u.test(label) ? label : `“${label}”`;
// In whole numbers, as the server: 3 shares at 70 % are 2.1, and in doubles a little less.
export const worthOf = (shares, price) => Number(BigInt(shares) * BigInt(price) / BigInt(MICRO));
