const named: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** Replace the entities in XML text by their characters. */
export const decodeEntities = (text: string): string =>
  text.replaceAll(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|(amp|lt|gt|quot|apos));/gi, (whole, decimal, hex, name) => {
    if (name) return named[(name as string).toLowerCase()];
    const point = decimal ? Number(decimal) : parseInt(hex as string, 16);
    return point <= 0x10_ff_ff ? String.fromCodePoint(point) : whole;
  });
